// cli/prompt.h: questions to the user, in a terminal or line by line.
#pragma once

#include <string>
#include <vector>

namespace accelerate::cli {

/// Asks on standard output, reads standard input. In a terminal choices are a
/// menu for arrow keys and digits; else every answer is a line.
class Prompt {
 public:
  Prompt();

  /// @param preset what an empty answer means
  /// @return place in `choices`
  /// @throws ConfigError when the input ends, or (outside terminals) for an
  ///   answer that is no choice
  [[nodiscard]] std::size_t choose(
      const std::string& question,
      const std::vector<std::string>& choices,
      std::size_t preset = 0);
  /// @throws ConfigError when the input ends
  [[nodiscard]] std::string ask(
      const std::string& question,
      const std::string& preset);
  [[nodiscard]] bool confirm(const std::string& question, bool preset);

  /// Says why an answer cannot be had; the caller asks again.
  /// @throws ConfigError outside terminals: the answers that follow would be
  ///   taken for others
  void reject(const std::string& reason);

 private:
  [[nodiscard]] std::size_t choose_from_menu(
      const std::string& question,
      const std::vector<std::string>& choices,
      std::size_t preset);
  [[nodiscard]] std::size_t choose_by_line(
      const std::string& question,
      const std::vector<std::string>& choices,
      std::size_t preset);
  [[nodiscard]] std::string read_line();
  void print(const std::string& text);

  bool is_terminal_;
  bool has_colours_;
};

/// The user pressed Ctrl-C in a menu.
class Interrupted {};

} // namespace accelerate::cli
