// cli/launch_flags.h: the flags of `accelerate launch` and what they say.
#pragma once

#include <memory>
#include <vector>

#include "accelerate/config/launch_settings.h"

namespace CLI {
class App;
}

namespace accelerate::cli {

/// What flags said, in the order of the command line.
using LaunchFlags = std::shared_ptr<std::vector<config::GivenValue>>;

/// Every flag of the table; those that are refused are not in --help, but say
/// why.
/// @param flags filled while the command line is read
void add_launch_flags(CLI::App& command, const LaunchFlags& flags);

/// Flags, variables, the configuration file that flags name or the default one
/// (not with --cpu, as in the original), defaults.
/// @throws ConfigError naming file and line
[[nodiscard]] config::LaunchSettings settings_from(
    const std::vector<config::GivenValue>& flags);

} // namespace accelerate::cli
