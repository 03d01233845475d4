// accelerate/config/config_file_text.h: writes configuration files that the
// original loads too.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "accelerate/config/launch_settings.h"

namespace accelerate::config {

/// How the text is spelt: JSON for names that end in `.json`, as in the
/// original.
enum class ConfigSyntax { kYaml, kJson };

/// Options and their values, each once, all with a key.
using ConfigValues = std::vector<std::pair<const LaunchOption*, std::string>>;

/// The keys in alphabetical order, those of maps below their map. Words that
/// YAML takes for something else are quoted.
[[nodiscard]] std::string write_config(
    const ConfigValues& values,
    ConfigSyntax syntax);

/// Writes a file as a whole or not at all; folders are made.
/// @throws ConfigError naming path and reason
void save_config(const std::string& path, const ConfigValues& values);

} // namespace accelerate::config
