// cli/commands.h: the subcommands of the program `accelerate`.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace accelerate::cli {

/// Runs after the flags were accepted.
/// @param rest what follows the flags: the program and its arguments
/// @return the program's exit code: an ExitCode, or that of a rank
using Command = std::function<int(const std::vector<std::string>& rest)>;

/// `accelerate launch`: adds flags and help.
[[nodiscard]] Command add_launch_command(CLI::App& app);

} // namespace accelerate::cli
