// accelerate/config/setting_variables.h: from settings to the environment of
// the ranks.
#pragma once

#include <map>
#include <string>

#include "accelerate/api.h"
#include "accelerate/config/launch_settings.h"

namespace accelerate::config {

/// What the ranks find in their environment, in the spelling of the original.
/// Variables that said so themselves are not among them: they are inherited.
/// @throws ConfigError when a switch is neither on nor off
/// Source: accelerate prepare_simple_launcher_cmd_env, prepare_multi_gpu_env
[[nodiscard]] ACCELERATE_API std::map<std::string, std::string>
setting_variables(const LaunchSettings& settings);

} // namespace accelerate::config
