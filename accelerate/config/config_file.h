// accelerate/config/config_file.h: configuration files, as `accelerate config`
// of the original and ours write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accelerate/config/launch_settings.h"
#include "accelerate/config/rank_environment.h"

namespace accelerate::config {

/// What a configuration file says.
struct ConfigFile {
  std::string path{}; ///< empty: there is none
  /// In the order of the file; the place of each is `path:line`.
  std::vector<GivenValue> values{};
};

/// Reads the text of a file, YAML or JSON. Keys that older versions wrote
/// (`fp16`, `dynamo_backend` outside its map), keys of fsdp_config, fp8_config
/// and dynamo_config without their prefix, and the names under which the
/// original stores three answers about fp8 are understood.
/// @throws ConfigError naming path and line: unknown keys (with the nearest
///   known one), keys twice, values of the wrong form, values that this version
///   cannot honour
/// Source: accelerate ClusterConfig
[[nodiscard]] ConfigFile parse_config(
    std::string_view text,
    const std::string& path);

/// @throws ConfigError as parse_config() does, and when the file cannot be read
[[nodiscard]] ConfigFile load_config(const std::string& path);

/// The file that `accelerate launch` uses: the one that is named, else the
/// default one if it is there and `uses_default` is true.
/// @throws ConfigError as load_config() does
struct ConfigChoice {
  std::string named{}; ///< --config_file; empty: none
  bool uses_default = true;
};
[[nodiscard]] ConfigFile load_chosen_config(
    const ConfigChoice& choice,
    const EnvironmentLookup& environment = process_environment());

} // namespace accelerate::config
