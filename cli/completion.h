// cli/completion.h: scripts by which shells complete command lines.
#pragma once

#include <string>
#include <vector>

#include "cli/command_words.h"

namespace accelerate::cli {

/// Each offers commands, flags, the choices of a flag, and files where a file
/// or a program is expected; nothing after a program's name but files.
/// @param commands as describe_commands() gives them
[[nodiscard]] std::string bash_completion(
    const std::vector<CommandWords>& commands);
[[nodiscard]] std::string zsh_completion(
    const std::vector<CommandWords>& commands);
[[nodiscard]] std::string fish_completion(
    const std::vector<CommandWords>& commands);

} // namespace accelerate::cli
