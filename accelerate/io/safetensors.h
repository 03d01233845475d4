// accelerate/io/safetensors.h: reads and writes safetensors files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/io/safetensors_header.h"
#include "accelerate/nested/named_tensor.h"

namespace accelerate {

/// A safetensors file, opened for reading and mapped into memory. Opening
/// checks the whole header and reads no tensor data. A cheap handle: copies
/// share the mapping. Thread-safety: safe.
class ACCELERATE_API SafetensorsFile {
 public:
  /// @throws CheckpointError when the file cannot be opened, or when it is not
  ///   exactly what the format demands; names the tensor, value and limit
  [[nodiscard]] static SafetensorsFile open(const std::filesystem::path& path);

  /// Names in the order of the data in the file.
  [[nodiscard]] const std::vector<std::string>& names() const;
  [[nodiscard]] bool contains(const std::string& name) const;
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const;
  [[nodiscard]] const std::string& path() const;

  /// Dtype, shape and place, without touching the data.
  /// @throws CheckpointError when the file has no tensor `name`
  [[nodiscard]] const TensorInfo& info(const std::string& name) const;

  /// A CPU tensor that reads the file's pages on first touch and keeps the
  /// mapping alive. Writing to it changes this process's memory only. (Data
  /// that the file leaves unaligned for its dtype is copied instead.)
  /// If another process shortens the file meanwhile, the first touch of a lost
  /// page raises SIGBUS: use copy() for files that others may rewrite in place.
  /// @throws CheckpointError when the file has no tensor `name`, or when a
  ///   BOOL tensor holds a byte other than 0 and 1
  [[nodiscard]] at::Tensor tensor(const std::string& name) const;

  /// A CPU tensor with memory of its own, filled by read calls.
  /// @throws as tensor(), and CheckpointError when the file has become shorter
  [[nodiscard]] at::Tensor copy(const std::string& name) const;

 private:
  struct Impl;
  explicit SafetensorsFile(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

/// Writes `tensors` to `path` in one step, see AtomicFile. Tensors may lie on
/// any device, with any strides; they are laid out by falling size of dtype,
/// then by name. Two names for the same memory are written twice.
/// Blocking: until the file is on the disk.
/// @param metadata strings for the header; transformers expects format = pt
/// @throws ConfigError when a name occurs twice, is reserved or not UTF-8, or
///   a tensor is undefined, sparse or of a dtype without a name in the format
/// @throws CheckpointError with path and errno when writing fails; a file that
///   was at `path` before is unchanged
/// Source: safetensors.torch.save_file
ACCELERATE_API void save_safetensors(
    const std::filesystem::path& path,
    const std::vector<NamedTensor>& tensors,
    const std::map<std::string, std::string>& metadata = {});

} // namespace accelerate
