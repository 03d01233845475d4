// accelerate/io/safetensors_layout.h: the header of a safetensors file, from
// bytes and to bytes, for programs without libtorch too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "accelerate/api.h"

namespace accelerate::io {

/// The format's limit on the length of the header.
inline constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

/// Element types in the format's order, smallest alignment first; those that
/// have a counterpart in libtorch.
enum class TensorDtype : std::uint8_t {
  kBool,
  kU8,
  kI8,
  kF8E5m2,
  kF8E4m3,
  kF8E8m0,
  kF8E4m3fnuz,
  kF8E5m2fnuz,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kC64,
  kF64,
  kI64,
  kU64,
};
inline constexpr std::size_t kTensorDtypes = 19;

/// The name in the format, such as `BF16`.
[[nodiscard]] ACCELERATE_API const char* tensor_dtype_name(TensorDtype dtype);

/// Bytes of one element.
[[nodiscard]] ACCELERATE_API std::size_t tensor_dtype_bytes(TensorDtype dtype);

/// What a safetensors file says about one tensor.
struct TensorPlace {
  TensorDtype dtype = TensorDtype::kBool;
  std::vector<std::int64_t> shape;
  /// Counted from the first byte after the header; `end` is one past the last.
  std::uint64_t begin_byte = 0;
  std::uint64_t end_byte = 0;
};

struct SafetensorsLayout {
  std::vector<std::string> names; ///< in the order of the data
  std::unordered_map<std::string, TensorPlace> tensors;
  std::map<std::string, std::string> metadata;
  std::uint64_t data_start = 0; ///< bytes before the first tensor
};

/// Checks all that the format demands of a file without reading tensor data.
/// @param file all bytes of the file; only the header is touched
/// @param path names the file in errors
/// @throws CheckpointError naming `path`, the tensor, the value and the limit
/// Source: the format description of the safetensors project
[[nodiscard]] ACCELERATE_API SafetensorsLayout
parse_safetensors_layout(std::string_view file, const std::string& path);

/// The eight length bytes and the header for tensors laid out in the order of
/// `layout.names`; padded with spaces, so that data starts at a multiple of 8.
/// `layout.data_start` is ignored.
/// @throws ConfigError when a name is reserved or not UTF-8, or when the header
///   exceeds kMaxHeaderBytes
[[nodiscard]] ACCELERATE_API std::string render_safetensors_layout(
    const SafetensorsLayout& layout);

} // namespace accelerate::io
