// accelerate/io/safetensors_shards.cpp: checkpoints of one safetensors file or
// of several with an index.
#include "accelerate/io/safetensors_shards.h"

#include "accelerate/error.h"
#include "accelerate/io/atomic_file.h"
#include "accelerate/io/mapped_file.h"
#include "accelerate/io/strict_json_impl.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <stdexcept>
#include <utility>

namespace accelerate {
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

bool is_plain_name(const std::string& name) {
  return !name.empty() &&
      std::all_of(name.begin(), name.end(), is_file_name_character);
}

bool is_shard_name(const std::string& name) {
  const std::string_view suffix = kSuffix;
  return name.size() > suffix.size() && name.ends_with(suffix) &&
      is_plain_name(name);
}

template <typename... Parts>
void require(bool condition, const fs::path& path, const Parts&... parts) {
  ACCELERATE_CHECK(
      condition, CheckpointError, kWhere, "'", path.string(), "': ", parts...);
}

json parse_index(const fs::path& path) {
  const io::MappedFile file(path);
  require(
      file.bytes().size() <= io::kMaxHeaderBytes,
      path,
      "has ",
      file.bytes().size(),
      " bytes, the limit for an index is ",
      io::kMaxHeaderBytes);
  try {
    return io::parse_strict_json(file.bytes(), kMaxIndexDepth);
  } catch (const std::runtime_error& e) {
    throw CheckpointError(error_message(
        kWhere, concat("'", path.string(), "': not valid: ", e.what())));
  }
}

/// The index's map from tensor to file name, each name checked.
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

/// The file or index that `path` stands for.
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

using Shards = std::vector<std::vector<NamedTensor>>;

/// Fills one shard after the other. A tensor larger than a shard may be is set
/// apart, and the shard being filled goes on.
Shards split(const std::vector<NamedTensor>& tensors, std::uint64_t max_bytes) {
  Shards shards;
  std::vector<NamedTensor> current;
  std::uint64_t current_bytes = 0;
  for (const NamedTensor& named : tensors) {
    const std::uint64_t bytes =
        named.tensor.defined() ? named.tensor.nbytes() : 0;
    if (bytes > max_bytes) {
      shards.push_back({named});
      continue;
    }
    if (current_bytes + bytes > max_bytes) {
      shards.push_back(std::exchange(current, {}));
      current_bytes = 0;
    }
    current.push_back(named);
    current_bytes += bytes;
  }
  if (!current.empty() || shards.empty()) {
    shards.push_back(std::move(current));
  }
  return shards;
}

std::vector<std::string> shard_names(
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

std::string render_index(
    const Shards& shards,
    const std::vector<std::string>& names) {
  std::uint64_t total_bytes = 0;
  json weight_map = json::object();
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    for (const NamedTensor& named : shards[shard]) {
      ACCELERATE_CHECK(
          weight_map.emplace(named.name, names[shard]).second,
          ConfigError,
          kWhere,
          "two tensors are named '",
          named.name,
          "'");
      total_bytes += named.tensor.nbytes();
    }
  }
  const json index = {
      {"metadata", {{"total_size", total_bytes}}}, {"weight_map", weight_map}};
  return index.dump(2, ' ', true) + "\n";
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

void remove_stale(
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

} // namespace

const SafetensorsFile& SafetensorsIndex::file(const std::string& name) const {
  const auto found = place_.find(name);
  require(
      found != place_.end(),
      path_,
      "has no tensor '",
      name,
      "' among its ",
      names_.size());
  return files_[found->second];
}

void SafetensorsIndex::add(
    SafetensorsFile file,
    const std::map<std::string, std::string>* weight_map) {
  const std::string file_name = fs::path(file.path()).filename().string();
  for (const std::string& name : file.names()) {
    if (weight_map != nullptr) {
      const auto listed = weight_map->find(name);
      if (listed == weight_map->end() || listed->second != file_name) {
        continue;
      }
    }
    names_.push_back(name);
    place_.emplace(name, files_.size());
  }
  files_.push_back(std::move(file));
}

SafetensorsIndex open_safetensors(const fs::path& path) {
  SafetensorsIndex index;
  index.path_ = find_checkpoint(path);
  if (!index.path_.string().ends_with(".index.json")) {
    index.add(SafetensorsFile::open(index.path_), nullptr);
    return index;
  }
  const auto weight_map = read_weight_map(index.path_);
  std::set<std::string> file_names;
  for (const auto& [tensor, file] : weight_map) {
    file_names.insert(file);
  }
  for (const std::string& name : file_names) {
    index.add(
        SafetensorsFile::open(index.path_.parent_path() / name), &weight_map);
  }
  for (const auto& [tensor, file] : weight_map) {
    require(
        index.contains(tensor),
        index.path_,
        "tensor '",
        tensor,
        "' is not in '",
        file,
        "'");
  }
  return index;
}

void ShardOptions::validate() const {
  ACCELERATE_CHECK(
      max_shard_bytes > 0,
      ConfigError,
      kWhere,
      "max_shard_bytes is 0, expected at least 1");
  ACCELERATE_CHECK(
      is_plain_name(base_name),
      ConfigError,
      kWhere,
      "base_name '",
      base_name,
      "' may hold letters, digits, '.', '_' and '-' only");
}

std::vector<std::string> save_safetensors_sharded(
    const fs::path& folder,
    const std::vector<NamedTensor>& tensors,
    const ShardOptions& options) {
  options.validate();
  const Shards shards = split(tensors, options.max_shard_bytes);
  std::vector<std::string> names =
      shard_names(options.base_name, shards.size());
  const std::string index_name = options.base_name + kIndexSuffix;
  try {
    fs::create_directories(folder);
    const std::string index =
        shards.size() > 1 ? render_index(shards, names) : "";
    if (shards.size() > 1) {
      fs::remove(folder / index_name);
    }
    for (std::size_t shard = 0; shard < shards.size(); ++shard) {
      save_safetensors(folder / names[shard], shards[shard], options.metadata);
    }
    if (shards.size() > 1) {
      write_file_atomically(folder / index_name, index);
    } else {
      fs::remove(folder / index_name);
    }
    remove_stale(folder, options.base_name, names);
  } catch (const fs::filesystem_error& e) {
    throw CheckpointError(error_message(kWhere, e.what()));
  }
  if (shards.size() > 1) {
    names.push_back(index_name);
  }
  return names;
}

} // namespace accelerate
