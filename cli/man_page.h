// cli/man_page.h: the manual page accelerate(1).
#pragma once

#include <string>
#include <vector>

#include "cli/command_words.h"

namespace accelerate::cli {

/// The page in the language of man(7).
/// @param commands as describe_commands() gives them
[[nodiscard]] std::string man_page(const std::vector<CommandWords>& commands);

} // namespace accelerate::cli
