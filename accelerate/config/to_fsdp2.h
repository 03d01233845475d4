// accelerate/config/to_fsdp2.h: settings of the first version of FSDP as those
// of the second.
#pragma once

#include <string>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/config/config_file_text.h"
#include "accelerate/config/launch_settings.h"

namespace accelerate::config {

struct Fsdp2Settings {
  ConfigValues values; ///< of the whole file
  /// One sentence for each setting that was left out, or why nothing changed.
  std::vector<std::string> notes;
};

/// The sharding strategy becomes fsdp_reshard_after_forward: true for
/// FULL_SHARD and HYBRID_SHARD, else false; of several the last one counts.
/// Prefetching, sync_module_states and use_orig_params have no counterpart and
/// are left out. Without settings of FSDP, or with those of version 2, nothing
/// changes.
/// @param values of a configuration file, in its order
/// Source: accelerate convert_config_to_fsdp2
[[nodiscard]] ACCELERATE_API Fsdp2Settings
to_fsdp2(const std::vector<GivenValue>& values);

} // namespace accelerate::config
