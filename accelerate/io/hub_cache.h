// accelerate/io/hub_cache.h: models that the Hugging Face hub's own tools have
// downloaded; nothing is downloaded here.
#pragma once

#include <filesystem>
#include <string>

#include "accelerate/api.h"
#include "accelerate/config/rank_environment.h"

namespace accelerate::io {

/// The cache folder: $HF_HUB_CACHE, else $HF_HOME/hub, else
/// $XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub.
/// Source: huggingface_hub's variables of the same names
[[nodiscard]] ACCELERATE_API std::filesystem::path hub_cache_folder(
    const EnvironmentLookup& variable);

/// The folder of a model's newest revision in the cache: that of its branch
/// main, else the only one there.
/// @param name `organisation/model`, or `model`
/// @throws ConfigError when `name` is no such name or is not in the cache; says
///   where it was looked for
[[nodiscard]] ACCELERATE_API std::filesystem::path find_in_hub_cache(
    const std::string& name,
    const std::filesystem::path& cache);

} // namespace accelerate::io
