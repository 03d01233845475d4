// accelerate/launch/launcher.h: starts the ranks of a job on this machine,
// watches them, and ends them together.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/launch/exit_code.h"
#include "accelerate/launch/launch_options.h"

namespace accelerate {

/// How one rank ended: `exit_code` or `signal` is set; neither while it runs.
struct RankOutcome {
  int global_rank = 0;
  pid_t pid = 0;
  std::optional<int> exit_code;
  std::optional<int> signal;
  /// The launcher had already sent it SIGTERM or SIGKILL.
  bool ended_by_launcher = false;
  /// From start to end.
  std::chrono::milliseconds duration{0};
  /// The end of what it printed; empty where it had the terminal to itself.
  std::vector<std::string> last_lines;
  /// What it printed, with RankOutput::kCapture.
  std::string out;
  std::string err;
  /// The exception that torch's @record left in the rank's error file.
  std::string recorded_error{};

  [[nodiscard]] bool has_ended() const {
    return exit_code || signal;
  }
  [[nodiscard]] bool is_success() const {
    return exit_code == 0;
  }
  /// As a shell counts: the exit code, or 128 + signal.
  [[nodiscard]] int shell_code() const {
    return exit_code ? *exit_code : kExitSignal + signal.value_or(0);
  }
};

/// How a job ended.
struct LaunchResult {
  /// 0 when every rank of the last attempt ended with 0; otherwise the code of
  /// the first rank that failed, 128 + signal after a forwarded INT, TERM or
  /// HUP, or kExitDeadline.
  int exit_code = 0;
  std::optional<int> first_failed_rank;
  bool deadline_passed = false;
  /// The rank that was named made no progress for
  /// LaunchOptions::heartbeat_timeout; exit_code is kExitDeadline.
  bool has_stalled = false;
  std::vector<RankOutcome> ranks; // [global_rank], of the last attempt
  /// [attempt]: the rank that failed first in each attempt before the last.
  std::vector<RankOutcome> failed_attempts{};
};

/// Runs one job. The ranks meet on a socket of 127.0.0.1 that rank 0 inherits;
/// nothing listens beyond this machine. A second port, MASTER_PORT, is kept for
/// a store of the program's own. The ranks die with the thread that runs the
/// job, whatever kills it.
class ACCELERATE_API Launcher {
 public:
  /// @throws ConfigError for options out of their limits, ProgramError when the
  ///   program cannot be found.
  explicit Launcher(LaunchOptions options);
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  /// Starts all ranks and returns when all have ended. Call it once.
  /// Blocking: for the length of the job.
  /// Thread-safety: several launchers may run in several threads.
  /// @throws ProgramError when the kernel refuses the program, ConfigError when
  ///   there are no processes or descriptors left. No rank is left running.
  [[nodiscard]] LaunchResult run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Runs the job and prints an error that keeps it from running as one line.
/// @return an ExitCode or the code of the first rank that failed
[[nodiscard]] ACCELERATE_API int launch_job(const LaunchOptions& options);

} // namespace accelerate
