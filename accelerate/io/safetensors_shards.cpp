// accelerate/io/safetensors_shards.cpp: checkpoints of one safetensors file or
// of several with an index.
#include "accelerate/io/safetensors_shards.h"

#include "accelerate/error.h"
#include "accelerate/io/atomic_file.h"
#include "accelerate/io/weight_index.h"

#include <set>
#include <utility>

namespace accelerate {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWhere = "io.safetensors";

template <typename... Parts>
void require(bool condition, const fs::path& path, const Parts&... parts) {
  ACCELERATE_CHECK(
      condition, CheckpointError, kWhere, "'", path.string(), "': ", parts...);
}

using Shards = std::vector<std::vector<NamedTensor>>;

Shards split(const std::vector<NamedTensor>& tensors, std::uint64_t max_bytes) {
  std::vector<std::uint64_t> bytes;
  for (const NamedTensor& named : tensors) {
    bytes.push_back(named.tensor.defined() ? named.tensor.nbytes() : 0);
  }
  Shards shards;
  for (const auto& positions : io::plan_shards(bytes, max_bytes)) {
    shards.emplace_back();
    for (const std::size_t position : positions) {
      shards.back().push_back(tensors[position]);
    }
  }
  return shards;
}

std::string render_index(
    const Shards& shards,
    const std::vector<std::string>& names) {
  std::uint64_t total_bytes = 0;
  std::map<std::string, std::string> weight_map;
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
  return io::render_weight_index(weight_map, total_bytes);
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
  index.path_ = io::find_checkpoint(path);
  if (!io::is_weight_index(index.path_)) {
    index.add(SafetensorsFile::open(index.path_), nullptr);
    return index;
  }
  const auto weight_map = io::read_weight_map(index.path_);
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
      io::is_plain_file_name(base_name),
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
      io::shard_file_names(options.base_name, shards.size());
  const std::string index_name = io::weight_index_name(options.base_name);
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
    io::remove_stale_shards(folder, options.base_name, names);
  } catch (const fs::filesystem_error& e) {
    throw CheckpointError(error_message(kWhere, e.what()));
  }
  if (shards.size() > 1) {
    names.push_back(index_name);
  }
  return names;
}

} // namespace accelerate
