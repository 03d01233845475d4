// accelerate/io/safetensors_shards.h: checkpoints of one safetensors file or of
// several with an index.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/io/safetensors.h"
#include "accelerate/nested/named_tensor.h"

namespace accelerate {

/// The tensors of all files of a checkpoint, by name. A cheap handle over open
/// files. Thread-safety: safe.
class ACCELERATE_API SafetensorsIndex {
 public:
  /// Names in the order of the files, and within a file in that of the data.
  [[nodiscard]] const std::vector<std::string>& names() const {
    return names_;
  }
  [[nodiscard]] const std::vector<SafetensorsFile>& files() const {
    return files_;
  }
  [[nodiscard]] bool contains(const std::string& name) const {
    return place_.count(name) != 0;
  }

  /// The file that holds `name`: for info(), tensor() and copy().
  /// @throws CheckpointError when no file holds it
  [[nodiscard]] const SafetensorsFile& file(const std::string& name) const;

  /// See SafetensorsFile.
  [[nodiscard]] const TensorInfo& info(const std::string& name) const {
    return file(name).info(name);
  }
  [[nodiscard]] at::Tensor tensor(const std::string& name) const {
    return file(name).tensor(name);
  }
  [[nodiscard]] at::Tensor copy(const std::string& name) const {
    return file(name).copy(name);
  }

 private:
  friend ACCELERATE_API SafetensorsIndex
  open_safetensors(const std::filesystem::path& path);

  void add(
      SafetensorsFile file,
      const std::map<std::string, std::string>* weight_map);

  std::filesystem::path path_;
  std::vector<SafetensorsFile> files_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::size_t> place_; // name to [file]
};

/// Opens a checkpoint. Every file that an index names must be a plain file name
/// (letters, digits, `.`, `_`, `-`, ending in `.safetensors`) beside the index;
/// that the file itself is a symbolic link, as in the Hugging Face cache, is
/// fine. Tensors of a shard that the index does not list are not shown.
/// @param path a safetensors file; an index, named *.index.json; or a folder
///   with model.safetensors or else model.safetensors.index.json
/// @throws CheckpointError naming the file, and where it applies the tensor
[[nodiscard]] ACCELERATE_API SafetensorsIndex
open_safetensors(const std::filesystem::path& path);

struct ShardOptions {
  /// A shard is closed before it would exceed this; a larger tensor has a shard
  /// of its own. Tensor data counts, headers do not.
  std::uint64_t max_shard_bytes = 10'000'000'000; // as the original
  std::string base_name = "model";
  std::map<std::string, std::string> metadata = {{"format", "pt"}};

  /// @throws ConfigError for a size of 0 or a base name that is no file name
  void validate() const;
};

/// Writes `tensors`, filling shards in the given order, as
/// `<base_name>.safetensors`, or when that would be too large as
/// `<base_name>-00001-of-0000N.safetensors` and an index. Files of an earlier
/// save under that base name are removed. After a failure half-way there is no
/// index, so that shards of two saves are never read as one.
/// Blocking: until all is on the disk.
/// @param folder is made when missing
/// @return names of the files written, the index last
/// @throws as save_safetensors()
/// Source: accelerate Accelerator.save_model
ACCELERATE_API std::vector<std::string> save_safetensors_sharded(
    const std::filesystem::path& folder,
    const std::vector<NamedTensor>& tensors,
    const ShardOptions& options = {});

} // namespace accelerate
