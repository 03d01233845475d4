// accelerate/text/pretrained_folder.h: from the name of a pretrained model to
// the folder that holds its files.
#pragma once

#include <filesystem>
#include <string>

#include "accelerate/api.h"

namespace accelerate {

struct PretrainedFolderOptions {
  /// Branch, tag or commit, for names found in the cache.
  std::string revision = "main";
};

/// Finds the folder of a pretrained model. Nothing is downloaded.
///
/// Looked at, in this order: a folder of that path (absolute, or relative to
/// the working directory); then the Hugging Face cache on disk, which is
/// $HF_HUB_CACHE, else $HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub, else
/// ~/.cache/huggingface/hub. In the cache `org/name` is
/// `models--org--name/snapshots/<commit>`, with the commit taken from
/// `refs/<revision>` or being the revision itself.
///
/// @param name_or_path a path to a folder, or `name` or `org/name`. A name
///   never leaves the cache: letters, digits, '.', '_' and '-' only, no "..".
/// @return a folder that exists
/// @throws ConfigError that lists every place looked at.
/// Thread-safety: safe, as long as nobody changes the environment.
/// Source: huggingface_hub, layout of the cache.
[[nodiscard]] ACCELERATE_API std::filesystem::path resolve_pretrained(
    const std::string& name_or_path,
    const PretrainedFolderOptions& options = {});

} // namespace accelerate
