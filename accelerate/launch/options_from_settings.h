// accelerate/launch/options_from_settings.h: from what the user said to what is
// started.
#pragma once

#include "accelerate/api.h"
#include "accelerate/config/launch_settings.h"
#include "accelerate/launch/launch_options.h"

namespace accelerate {

/// All that the settings say of a job; the program and its arguments are left
/// to the caller.
/// @param gpu_count GPUs that ranks see when the settings name none; without a
///   number of processes there is one rank for each
/// @throws ConfigError for settings that contradict each other
[[nodiscard]] ACCELERATE_API LaunchOptions
options_from_settings(const config::LaunchSettings& settings, int gpu_count);

} // namespace accelerate
