// accelerate/launch/program.h: from what the user typed to what is executed.
#pragma once

#include <string>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/config/rank_environment.h"
#include "accelerate/error.h"
#include "accelerate/launch/exit_code.h"
#include "accelerate/launch/launch_options.h"

namespace accelerate {

/// The program to launch cannot be started. exit_code() is kExitNotFound or
/// kExitNotExecutable.
class ACCELERATE_API ProgramError : public ConfigError {
 public:
  ProgramError(const std::string& message, ExitCode exit_code)
      : ConfigError(message), exit_code_(exit_code) {}
  [[nodiscard]] ExitCode exit_code() const {
    return exit_code_;
  }

 private:
  ExitCode exit_code_;
};

namespace launch {

/// What execve needs, apart from the environment.
struct Command {
  std::string path;
  std::vector<std::string> argv;
  /// The path is a Python interpreter that the launcher chose.
  bool is_python = false;
};

/// Finds a program: a name with a slash is a path, one without is looked up in
/// PATH. A name ending in `.py` (unless kExecutable), and any module, is run by
/// the interpreter of LaunchOptions::python_folder, of $VIRTUAL_ENV, of
/// $CONDA_PREFIX, or python3 from PATH, in this order. No shell is involved;
/// whether a module exists is left to Python.
/// @throws ProgramError naming path and reason; ConfigError for a module name
///   that is a path.
[[nodiscard]] ACCELERATE_API Command resolve_command(
    const LaunchOptions& options,
    const EnvironmentLookup& lookup = process_environment());

} // namespace launch
} // namespace accelerate
