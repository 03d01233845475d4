// tests/support/started_program.h: a program that runs beside a test, for tests
// that signal or kill it.
#pragma once

#include <signal.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "accelerate/launch/rank_process.h"
#include "tests/support/temp_dir.h"

namespace accelerate::test {

/// What to start. Descriptors of -1 mean: standard input empty, output into a
/// file of the object.
struct StartOptions {
  std::string program{};
  std::vector<std::string> args{};
  std::map<std::string, std::string> env{}; ///< over this process's own
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  /// Whether it leads a process group; needed for the setsid program not to
  /// fork.
  launch::Group group = launch::Group::kOwn;
};

/// Runs until it ends or the object dies, which kills it.
class StartedProgram {
 public:
  explicit StartedProgram(const StartOptions& options);

  [[nodiscard]] pid_t pid() const {
    return process_.pid();
  }
  void send(int signal) const {
    process_.send(signal);
  }
  /// nullopt when it still runs after `limit`.
  [[nodiscard]] std::optional<launch::Ending> wait(
      std::chrono::milliseconds limit = std::chrono::seconds{20});
  /// As a shell counts; -1 when it still runs after `limit`.
  [[nodiscard]] int wait_code(
      std::chrono::milliseconds limit = std::chrono::seconds{20});
  /// What it has written into the object's files by now.
  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;

 private:
  TempDir dir_;
  launch::RankProcess process_;
};

/// Looks every millisecond until `condition` holds.
/// @return false when it does not within `limit`
[[nodiscard]] bool eventually(
    const std::function<bool()>& condition,
    std::chrono::milliseconds limit = std::chrono::seconds{20});

/// True while a process of that number runs (a zombie does not).
[[nodiscard]] bool is_running(pid_t pid);

/// The whole file; empty when there is none.
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

} // namespace accelerate::test
