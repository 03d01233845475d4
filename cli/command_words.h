// cli/command_words.h: what the program understands, as data: completion and
// the manual page are made from it.
#pragma once

#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace accelerate::cli {

/// What a value is, for a shell that completes it.
enum class ValueKind { kNone, kText, kChoice, kFile, kFolder };

struct FlagWords {
  std::vector<std::string> names; ///< `-m`, `--module`; joined by `_`
  std::string value; ///< as in --help, such as `N`
  ValueKind kind = ValueKind::kNone;
  std::vector<std::string> choices;
  std::string description; ///< without line ends
};

struct CommandWords {
  std::string name; ///< empty for the program itself
  std::string usage; ///< `accelerate launch [flags] …`
  std::string description; ///< paragraphs, as in --help
  std::string footer;
  std::vector<FlagWords> flags; ///< those that --help shows
  bool runs_program = false; ///< further words belong to a program
  std::vector<std::string> subcommands;

  /// Up to the first line end.
  [[nodiscard]] std::string summary() const {
    return description.substr(0, description.find('\n'));
  }
};

/// The program, then its commands and theirs (`config update`), in the order of
/// --help.
[[nodiscard]] std::vector<CommandWords> describe_commands();

} // namespace accelerate::cli
