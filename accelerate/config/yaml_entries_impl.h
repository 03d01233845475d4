// accelerate/config/yaml_entries_impl.h: the text of a configuration file as a
// flat list.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace accelerate::config {

/// `map.key: value`, or `key: value` outside maps.
struct YamlEntry {
  std::string map{};
  std::string key{};
  /// As written, without quotes; of a list its parts with `,` between.
  std::string value{};
  /// Nothing, `~`, `null`, or a list or map without parts.
  bool is_empty = false;
  /// A map in a map or in a list, which no option has.
  bool is_nested = false;
  int line = 0; ///< from 1
};

/// Reads YAML, and JSON, which is YAML. Size and depth are limited before the
/// parser sees the text.
/// @param path as messages are to name the file
/// @throws ConfigError naming path and line: no map, a key twice, limits
std::vector<YamlEntry> read_yaml_entries(
    std::string_view text,
    const std::string& path);

} // namespace accelerate::config
