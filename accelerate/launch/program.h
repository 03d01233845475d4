// accelerate/launch/program.h: from what the user typed to what is executed.
#pragma once

#include <string>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/config/rank_environment.h"
#include "accelerate/error.h"
#include "accelerate/launch/exit_code.h"

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
};

/// Finds a program: a name with a slash is a path, one without is looked up in
/// PATH. A name ending in `.py` is a script for the interpreter of
/// $VIRTUAL_ENV, of $CONDA_PREFIX, or python3 from PATH. No shell is involved.
/// @throws ProgramError naming path and reason.
[[nodiscard]] ACCELERATE_API Command resolve_command(
    const std::string& program,
    const std::vector<std::string>& args,
    const EnvironmentLookup& lookup = process_environment());

} // namespace launch
} // namespace accelerate
