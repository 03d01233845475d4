// accelerate/io/safetensors_header.h: the header of a safetensors file with
// libtorch's element types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <c10/core/ScalarType.h>

#include "accelerate/api.h"
#include "accelerate/io/safetensors_layout.h"

namespace accelerate {

/// What a safetensors file says about one tensor.
struct TensorInfo {
  at::ScalarType dtype = at::ScalarType::Undefined;
  std::vector<std::int64_t> shape;
  /// The tensor's place, counted from the first byte after the header; `end`
  /// is one past its last byte.
  std::uint64_t begin_byte = 0;
  std::uint64_t end_byte = 0;
};

} // namespace accelerate

namespace accelerate::io {

struct SafetensorsHeader {
  std::vector<std::string> names; ///< in the order of the data
  std::unordered_map<std::string, TensorInfo> tensors;
  std::map<std::string, std::string> metadata;
  std::uint64_t data_start = 0; ///< bytes before the first tensor
};

/// Checks all that the format demands of a file without reading tensor data.
/// @param file all bytes of the file; only the header is touched
/// @param path names the file in errors
/// @throws CheckpointError naming `path`, the tensor, the value and the limit
/// Source: the format description of the safetensors project
[[nodiscard]] ACCELERATE_API SafetensorsHeader
parse_safetensors_header(std::string_view file, const std::string& path);

/// The eight length bytes and the header for tensors laid out in the order of
/// `header.names`; padded with spaces, so that data starts at a multiple of 8.
/// `header.data_start` is ignored.
/// @throws ConfigError when a name is reserved or not UTF-8, when a dtype has
///   no name in the format, or when the header exceeds kMaxHeaderBytes
[[nodiscard]] ACCELERATE_API std::string render_safetensors_header(
    const SafetensorsHeader& header);

/// Where a dtype stands in the order in which the format's own writer places
/// tensors (largest first, so that each is aligned).
/// @throws ConfigError when the format has no name for `dtype`
[[nodiscard]] ACCELERATE_API std::size_t safetensors_dtype_order(
    at::ScalarType dtype);

} // namespace accelerate::io
