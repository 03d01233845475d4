// accelerate/config/config_file.cpp: from keys to options.
#include "accelerate/config/config_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <utility>

#include "accelerate/config/config_path.h"
#include "accelerate/config/nearest_name.h"
#include "accelerate/config/parse_flag.h"
#include "accelerate/config/yaml_entries_impl.h"
#include "accelerate/error.h"

namespace accelerate::config {
namespace {

constexpr std::string_view kWhere = "config.file";

[[noreturn]] void fail(const std::string& place, const std::string& what) {
  throw ConfigError(error_message(kWhere, place + ": " + what));
}

/// Maps whose keys may do without their prefix.
constexpr std::pair<std::string_view, std::string_view> kPrefixes[] = {
    {"fsdp_config", "fsdp_"},
    {"fp8_config", "fp8_"},
    {"dynamo_config", "dynamo_"},
};

/// Names under which the original stores answers and never finds them again.
constexpr std::pair<std::string_view, std::string_view> kOtherNames[] = {
    {"fp8_config.fp8_amax_history_length", "fp8_config.fp8_amax_history_len"},
    {"fp8_config.fp8_amax_compute_algorithm",
     "fp8_config.fp8_amax_compute_algo"},
    {"fp8_config.fp8_optimization_level", "fp8_config.fp8_opt_level"},
    // Of versions before dynamo_config.
    {"dynamo_backend", "dynamo_config.dynamo_backend"},
};

/// As the table has it.
std::string full_key(const YamlEntry& entry) {
  std::string key = entry.key;
  for (const auto& [map, prefix] : kPrefixes) {
    if (entry.map == map && !key.starts_with(prefix)) {
      key.insert(0, prefix);
    }
  }
  if (!entry.map.empty()) {
    key.insert(0, entry.map + '.');
  }
  for (const auto& [other, own] : kOtherNames) {
    if (key == other) {
      return std::string(own);
    }
  }
  return key;
}

const LaunchOption* find_key(std::string_view key) {
  const auto table = launch_option_table();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const LaunchOption& option) {
        return option.key == key && !key.empty();
      });
  return found == table.end() ? nullptr : &*found;
}

std::string_view map_of(std::string_view key) {
  const std::size_t dot = key.find('.');
  return key.substr(0, dot == std::string_view::npos ? 0 : dot);
}

/// Names that may stand where the entry stands.
std::vector<std::string> names_beside(const YamlEntry& entry) {
  std::vector<std::string> names;
  for (const LaunchOption& option : launch_option_table()) {
    const std::string_view map = map_of(option.key);
    if (!option.key.empty() && map == entry.map) {
      names.emplace_back(option.key.substr(map.empty() ? 0 : map.size() + 1));
    } else if (!map.empty() && entry.map.empty()) {
      names.emplace_back(map);
    }
  }
  return names;
}

[[noreturn]] void fail_unknown(
    const YamlEntry& entry,
    const std::string& place) {
  const std::vector<std::string> names = names_beside(entry);
  if (names.empty()) {
    // Keys of a map that is unknown itself.
    YamlEntry map = entry;
    map.key = std::exchange(map.map, "");
    fail_unknown(map, place);
  }
  const std::string nearest = nearest_name(entry.key, names);
  fail(
      place,
      concat(
          "unknown key '",
          entry.key,
          '\'',
          entry.map.empty() ? "" : concat(" in ", entry.map),
          nearest.empty() ? "" : concat("; did you mean '", nearest, "'?")));
}

bool asks_for_nothing(const LaunchOption& option, const std::string& value) {
  // The original's word for "say it when you launch".
  return value.empty() || (option.name == "num_processes" && value == "-1");
}

class Translator {
 public:
  explicit Translator(const std::string& path) {
    file_.path = path;
  }

  ConfigFile translate(const std::vector<YamlEntry>& entries) {
    // Its reason explains more than those of the keys that come with it.
    for (const YamlEntry& entry : entries) {
      if (entry.map.empty() && entry.key == "compute_environment") {
        add(entry);
      }
    }
    for (const YamlEntry& entry : entries) {
      if (entry.map.empty() && entry.key == "fp16") {
        add_fp16(entry, entries);
      } else if (!entry.map.empty() || entry.key != "compute_environment") {
        add(entry);
      }
    }
    require_type(entries);
    return std::move(file_);
  }

 private:
  [[nodiscard]] std::string place_of(const YamlEntry& entry) const {
    return concat(file_.path, ':', entry.line);
  }

  void add(const YamlEntry& entry) {
    const std::string place = place_of(entry);
    const LaunchOption* map = find_key(entry.map);
    if (map != nullptr) {
      const std::string_view reason = refusal_of(*map);
      fail(
          place,
          concat(
              entry.map,
              ": ",
              reason.empty() ? "expected a value, got a map" : reason));
    }
    const LaunchOption* option = find_key(full_key(entry));
    if (option == nullptr) {
      const bool is_empty_map = entry.is_empty && is_map(entry.key);
      if (is_empty_map && entry.map.empty()) {
        return;
      }
      fail_unknown(entry, place);
    }
    if (entry.is_nested) {
      fail(place, concat("'", entry.key, "' expected a value, got a map"));
    }
    if (!entry.is_empty && !asks_for_nothing(*option, entry.value)) {
      take(*option, entry, place);
    }
  }

  void take(
      const LaunchOption& option,
      const YamlEntry& entry,
      const std::string& place) {
    // An unquoted no is false to YAML.
    const bool is_no_choice =
        option.kind == OptionKind::kChoice && parse_flag(entry.value) == false;
    const std::string value = is_no_choice && option.default_value == "no"
        ? "no"
        : option.name == "distributed_type" && is_no_choice ? "NO"
                                                            : entry.value;
    const auto complain = [&](const std::string& what) {
      fail(place, concat(entry.key, ": '", entry.value, "': ", what));
    };
    // What is refused is never looked into.
    if (const auto reason = refusal_of(option, value); !reason.empty()) {
      complain(reason);
    }
    const bool is_left_out = !refusal_of(option).empty();
    if (const auto problem = problem_with(option, value);
        !problem.empty() && !is_left_out) {
      complain(problem);
    }
    for (const GivenValue& other : file_.values) {
      if (other.option == &option) {
        fail(
            place,
            concat("'", entry.key, "' says again what ", other.place, " says"));
      }
    }
    if (!is_left_out) {
      file_.values.push_back({&option, value, place});
    }
  }

  static bool is_map(std::string_view name) {
    const auto table = launch_option_table();
    return std::any_of(
        table.begin(), table.end(), [&](const LaunchOption& option) {
          return map_of(option.key) == name;
        });
  }

  /// Of versions before mixed_precision.
  void add_fp16(const YamlEntry& entry, const std::vector<YamlEntry>& entries) {
    const auto flag = parse_flag(entry.value);
    if (!flag) {
      fail(place_of(entry), "fp16: expected true or false");
    }
    const bool has_precision =
        std::any_of(entries.begin(), entries.end(), [](const YamlEntry& other) {
          return other.map.empty() && other.key == "mixed_precision";
        });
    if (*flag && !has_precision) {
      file_.values.push_back(
          {find_launch_option("mixed_precision"), "fp16", place_of(entry)});
    }
  }

  void require_type(const std::vector<YamlEntry>& entries) const {
    const bool has_type =
        std::any_of(entries.begin(), entries.end(), [](const YamlEntry& entry) {
          return entry.map.empty() && entry.key == "distributed_type" &&
              !entry.value.empty();
        });
    if (!has_type) {
      fail(
          file_.path,
          "the key 'distributed_type' is missing; 'distributed_type: NO' is "
          "the plainest");
    }
  }

  ConfigFile file_;
};

} // namespace

ConfigFile parse_config(std::string_view text, const std::string& path) {
  return Translator(path).translate(read_yaml_entries(text, path));
}

ConfigFile load_config(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    fail(path, describe_errno(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    fail(path, "expected a file");
  }
  std::ifstream file(path, std::ios::binary);
  // One more than may be there, so that the reader sees what is too long.
  std::string text(65537, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad()) {
    fail(path, describe_errno(errno));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return parse_config(text, path);
}

ConfigFile load_chosen_config(
    const ConfigChoice& choice,
    const EnvironmentLookup& environment) {
  if (!choice.named.empty()) {
    return load_config(choice.named);
  }
  const std::string path = default_config_path(environment);
  struct stat status {};
  return choice.uses_default && ::stat(path.c_str(), &status) == 0
      ? load_config(path)
      : ConfigFile{};
}

} // namespace accelerate::config
