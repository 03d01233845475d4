// accelerate/io/safetensors_header.cpp: the header of a safetensors file with
// libtorch's element types.
#include "accelerate/io/safetensors_header.h"

#include "accelerate/error.h"
#include "accelerate/io/safetensors_layout.h"

#include <algorithm>
#include <array>
#include <utility>

namespace accelerate::io {
namespace {

// [TensorDtype]
constexpr std::array<at::ScalarType, kTensorDtypes> kScalarTypes{
    at::kBool,
    at::kByte,
    at::kChar,
    at::kFloat8_e5m2,
    at::kFloat8_e4m3fn,
    at::kFloat8_e8m0fnu,
    at::kFloat8_e4m3fnuz,
    at::kFloat8_e5m2fnuz,
    at::kShort,
    at::kUInt16,
    at::kHalf,
    at::kBFloat16,
    at::kInt,
    at::kUInt32,
    at::kFloat,
    at::kComplexFloat,
    at::kDouble,
    at::kLong,
    at::kUInt64,
};

TensorInfo to_info(TensorPlace place) {
  return {
      kScalarTypes[static_cast<std::size_t>(place.dtype)],
      std::move(place.shape),
      place.begin_byte,
      place.end_byte};
}

TensorPlace to_place(const TensorInfo& info) {
  return {
      static_cast<TensorDtype>(safetensors_dtype_order(info.dtype)),
      info.shape,
      info.begin_byte,
      info.end_byte};
}

} // namespace

SafetensorsHeader parse_safetensors_header(
    std::string_view file,
    const std::string& path) {
  SafetensorsLayout layout = parse_safetensors_layout(file, path);
  SafetensorsHeader header;
  header.names = std::move(layout.names);
  header.metadata = std::move(layout.metadata);
  header.data_start = layout.data_start;
  header.tensors.reserve(layout.tensors.size());
  for (auto& [name, place] : layout.tensors) {
    header.tensors.emplace(name, to_info(std::move(place)));
  }
  return header;
}

std::size_t safetensors_dtype_order(at::ScalarType dtype) {
  const auto* const known =
      std::find(kScalarTypes.begin(), kScalarTypes.end(), dtype);
  ACCELERATE_CHECK(
      known != kScalarTypes.end(),
      ConfigError,
      "io.safetensors",
      "dtype ",
      c10::toString(dtype),
      " has no name in the safetensors format");
  return static_cast<std::size_t>(known - kScalarTypes.begin());
}

std::string render_safetensors_header(const SafetensorsHeader& header) {
  SafetensorsLayout layout;
  layout.names = header.names;
  layout.metadata = header.metadata;
  for (const std::string& name : header.names) {
    layout.tensors.emplace(name, to_place(header.tensors.at(name)));
  }
  return render_safetensors_layout(layout);
}

} // namespace accelerate::io
