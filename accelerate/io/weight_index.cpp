// accelerate/io/weight_index.cpp: how the weights of a model are spread over
// safetensors files: names of the files, and the index that lists them.
#include "accelerate/io/weight_index.h"

#include "accelerate/error.h"
#include "accelerate/io/mapped_file.h"
#include "accelerate/io/safetensors_layout.h"
#include "accelerate/io/strict_json_impl.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <stdexcept>
#include <utility>

namespace accelerate::io {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kWhere = "io.safetensors";
constexpr const char* kSuffix = ".safetensors";
constexpr const char* kIndexSuffix = ".safetensors.index.json";
constexpr std::size_t kMaxIndexDepth = 16; // its metadata may hold anything

bool is_file_name_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
      (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-';
}

bool is_shard_name(const std::string& name) {
  const std::string_view suffix = kSuffix;
  return name.size() > suffix.size() && name.ends_with(suffix) &&
      is_plain_file_name(name);
}

template <typename... Parts>
void require(bool condition, const fs::path& path, const Parts&... parts) {
  ACCELERATE_CHECK(
      condition, CheckpointError, kWhere, "'", path.string(), "': ", parts...);
}

json parse_index(const fs::path& path) {
  const MappedFile file(path);
  require(
      file.bytes().size() <= kMaxHeaderBytes,
      path,
      "has ",
      file.bytes().size(),
      " bytes, the limit for an index is ",
      kMaxHeaderBytes);
  try {
    return parse_strict_json(file.bytes(), kMaxIndexDepth);
  } catch (const std::runtime_error& e) {
    throw CheckpointError(error_message(
        kWhere, concat("'", path.string(), "': not valid: ", e.what())));
  }
}

/// Whether `text` reads `-00001-of-00002`, with any digits.
bool is_shard_number(const std::string& text) {
  constexpr std::string_view kPattern = "-00000-of-00000";
  return std::equal(
      text.begin(),
      text.end(),
      kPattern.begin(),
      kPattern.end(),
      [](char c, char pattern) {
        return pattern == '0' ? c >= '0' && c <= '9' : c == pattern;
      });
}

} // namespace

bool is_plain_file_name(const std::string& name) {
  return !name.empty() &&
      std::all_of(name.begin(), name.end(), is_file_name_character);
}

std::map<std::string, std::string> read_weight_map(const fs::path& path) {
  const json root = parse_index(path);
  require(
      root.is_object() && root.contains("weight_map") &&
          root["weight_map"].is_object(),
      path,
      "has no object 'weight_map'");
  std::map<std::string, std::string> weight_map;
  for (const auto& [tensor, file] : root["weight_map"].items()) {
    require(
        file.is_string(),
        path,
        "tensor '",
        tensor,
        "': the name of its file must be a string");
    const auto& name = file.get_ref<const std::string&>();
    require(
        is_shard_name(name),
        path,
        "tensor '",
        tensor,
        "': '",
        name,
        "' is not a plain name of a safetensors file beside the index");
    weight_map.emplace(tensor, name);
  }
  return weight_map;
}

fs::path find_checkpoint(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    return path;
  }
  const fs::path single = path / concat("model", kSuffix);
  const fs::path index = path / concat("model", kIndexSuffix);
  if (fs::exists(single, ignored)) {
    return single;
  }
  require(
      fs::exists(index, ignored),
      path,
      "has neither model",
      kSuffix,
      " nor model",
      kIndexSuffix);
  return index;
}

bool is_weight_index(const fs::path& path) {
  return path.string().ends_with(".index.json");
}

std::vector<fs::path> weight_files(const fs::path& checkpoint) {
  if (!is_weight_index(checkpoint)) {
    return {checkpoint};
  }
  std::set<std::string> names;
  for (const auto& [tensor, file] : read_weight_map(checkpoint)) {
    names.insert(file);
  }
  std::vector<fs::path> files;
  for (const std::string& name : names) {
    files.push_back(checkpoint.parent_path() / name);
  }
  return files;
}

std::vector<std::vector<std::size_t>> plan_shards(
    const std::vector<std::uint64_t>& bytes,
    std::uint64_t max_shard_bytes) {
  std::vector<std::vector<std::size_t>> shards;
  std::vector<std::size_t> current;
  std::uint64_t current_bytes = 0;
  for (std::size_t tensor = 0; tensor < bytes.size(); ++tensor) {
    if (bytes[tensor] > max_shard_bytes) {
      // Set apart; the shard being filled goes on.
      shards.push_back({tensor});
      continue;
    }
    if (current_bytes + bytes[tensor] > max_shard_bytes) {
      shards.push_back(std::exchange(current, {}));
      current_bytes = 0;
    }
    current.push_back(tensor);
    current_bytes += bytes[tensor];
  }
  if (!current.empty() || shards.empty()) {
    shards.push_back(std::move(current));
  }
  return shards;
}

std::vector<std::string> shard_file_names(
    const std::string& base_name,
    std::size_t count) {
  if (count == 1) {
    return {base_name + kSuffix};
  }
  std::vector<std::string> names;
  for (std::size_t shard = 1; shard <= count; ++shard) {
    char numbers[64];
    std::snprintf(numbers, sizeof numbers, "-%05zu-of-%05zu", shard, count);
    names.push_back(base_name + numbers + kSuffix);
  }
  return names;
}

std::string weight_index_name(const std::string& base_name) {
  return base_name + kIndexSuffix;
}

std::string render_weight_index(
    const std::map<std::string, std::string>& weight_map,
    std::uint64_t total_bytes) {
  const json index = {
      {"metadata", {{"total_size", total_bytes}}}, {"weight_map", weight_map}};
  return index.dump(2, ' ', true) + "\n";
}

void remove_stale_shards(
    const fs::path& folder,
    const std::string& base_name,
    const std::vector<std::string>& keep) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(base_name) || !name.ends_with(kSuffix) ||
        std::find(keep.begin(), keep.end(), name) != keep.end()) {
      continue;
    }
    const std::string middle = name.substr(
        base_name.size(),
        name.size() - base_name.size() - std::string_view(kSuffix).size());
    if (middle.empty() || is_shard_number(middle)) {
      fs::remove(entry.path());
    }
  }
}

} // namespace accelerate::io
