// accelerate/config/config_path.h: where settings and caches lie.
#pragma once

#include <filesystem>

#include "accelerate/api.h"
#include "accelerate/config/rank_environment.h"

namespace accelerate::config {

/// $HF_HOME, else $XDG_CACHE_HOME/huggingface, else ~/.cache/huggingface; a
/// `~/` at the beginning is $HOME. A variable set to nothing counts as not set.
/// Source: huggingface_hub's HF_HOME
[[nodiscard]] ACCELERATE_API std::filesystem::path huggingface_home(
    const EnvironmentLookup& lookup = process_environment());

/// The configuration that counts when none is named:
/// accelerate/default_config.yaml in huggingface_home().
/// Source: accelerate default_config_file
[[nodiscard]] ACCELERATE_API std::filesystem::path default_config_path(
    const EnvironmentLookup& lookup = process_environment());

} // namespace accelerate::config
