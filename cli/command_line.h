// cli/command_line.h: from the words of a command line to what is to be done.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace accelerate::cli {

/// Does what the user asked for.
/// @return the program's exit code: an ExitCode, or that of a rank
using Action = std::function<int()>;

/// Reads a command line. Nothing is printed or started before the action runs;
/// for a command line with mistakes it prints one line and returns kExitUsage.
/// @param words without the program's own name
[[nodiscard]] Action read_command_line(const std::vector<std::string>& words);

} // namespace accelerate::cli
