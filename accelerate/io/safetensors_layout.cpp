// accelerate/io/safetensors_layout.cpp: the header of a safetensors file, from
// bytes and to bytes.
#include "accelerate/io/safetensors_layout.h"

#include "accelerate/error.h"
#include "accelerate/io/strict_json_impl.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace accelerate::io {
namespace {

using nlohmann::json;

static_assert(
    std::endian::native == std::endian::little,
    "safetensors data is little-endian and is used as it lies in the file");

constexpr const char* kWhere = "io.safetensors";
constexpr const char* kMetadataKey = "__metadata__";
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kAlignBytes = 8;
// header > tensor > shape; one more, so that the message for a list within
// `shape` names the tensor.
constexpr std::size_t kMaxDepth = 4;

struct DtypeEntry {
  const char* name;
  std::size_t bytes;
};
// [TensorDtype]
constexpr std::array<DtypeEntry, kTensorDtypes> kDtypes{{
    {"BOOL", 1},    {"U8", 1},      {"I8", 1},          {"F8_E5M2", 1},
    {"F8_E4M3", 1}, {"F8_E8M0", 1}, {"F8_E4M3FNUZ", 1}, {"F8_E5M2FNUZ", 1},
    {"I16", 2},     {"U16", 2},     {"F16", 2},         {"BF16", 2},
    {"I32", 4},     {"U32", 4},     {"F32", 4},         {"C64", 8},
    {"F64", 8},     {"I64", 8},     {"U64", 8},
}};

/// Gathers what every error of one tensor starts with.
struct Place {
  const std::string& path;
  const std::string& tensor;

  template <typename... Parts>
  void require(bool condition, const Parts&... parts) const {
    ACCELERATE_CHECK(
        condition,
        CheckpointError,
        kWhere,
        "'",
        path,
        "': tensor '",
        tensor,
        "': ",
        parts...);
  }
};

TensorDtype parse_dtype(const json& entry, const Place& place) {
  const auto found = entry.find("dtype");
  place.require(
      found != entry.end() && found->is_string(), "'dtype' must be a string");
  const auto& name = found->get_ref<const std::string&>();
  const auto known = std::find_if(
      kDtypes.begin(), kDtypes.end(), [&](const DtypeEntry& candidate) {
        return name == candidate.name;
      });
  place.require(
      known != kDtypes.end(),
      "dtype '",
      name,
      "' is unknown or has no counterpart in libtorch");
  return static_cast<TensorDtype>(known - kDtypes.begin());
}

std::uint64_t
parse_size(const json& value, const char* field, const Place& place) {
  place.require(
      value.is_number_unsigned(),
      "'",
      field,
      "' holds ",
      value.dump(-1, ' ', true, json::error_handler_t::replace),
      ", expected an integer from 0 to 2^64 - 1");
  return value.get<std::uint64_t>();
}

std::vector<std::int64_t> parse_shape(const json& entry, const Place& place) {
  const auto found = entry.find("shape");
  place.require(
      found != entry.end() && found->is_array(), "'shape' must be a list");
  std::vector<std::int64_t> shape;
  for (const json& dim : *found) {
    const std::uint64_t size = parse_size(dim, "shape", place);
    place.require(
        size <= std::numeric_limits<std::int64_t>::max(),
        "'shape' holds ",
        size,
        ", more than 2^63 - 1");
    shape.push_back(static_cast<std::int64_t>(size));
  }
  return shape;
}

// Zero dims count as one for the overflow check, since strides do the same.
std::uint64_t count_bytes(const TensorPlace& info, const Place& place) {
  std::int64_t stride =
      static_cast<std::int64_t>(tensor_dtype_bytes(info.dtype));
  std::uint64_t bytes = static_cast<std::uint64_t>(stride);
  for (const std::int64_t dim : info.shape) {
    place.require(
        !__builtin_mul_overflow(
            stride, std::max<std::int64_t>(dim, 1), &stride),
        "the product of its shape exceeds 2^63 - 1 bytes");
    bytes *= static_cast<std::uint64_t>(dim);
  }
  return bytes;
}

TensorPlace parse_tensor(const json& entry, const Place& place) {
  place.require(entry.is_object(), "expected an object that describes it");
  place.require(
      entry.size() == 3,
      "has ",
      entry.size(),
      " fields, expected dtype, shape and data_offsets");
  TensorPlace info;
  info.dtype = parse_dtype(entry, place);
  info.shape = parse_shape(entry, place);
  const auto offsets = entry.find("data_offsets");
  place.require(
      offsets != entry.end() && offsets->is_array() && offsets->size() == 2,
      "'data_offsets' must be a list of two numbers");
  info.begin_byte = parse_size((*offsets)[0], "data_offsets", place);
  info.end_byte = parse_size((*offsets)[1], "data_offsets", place);
  place.require(
      info.begin_byte <= info.end_byte,
      "ends at byte ",
      info.end_byte,
      ", before it begins at ",
      info.begin_byte);
  const std::uint64_t needed = count_bytes(info, place);
  const std::uint64_t held = info.end_byte - info.begin_byte;
  place.require(
      held == needed,
      "dtype and shape need ",
      needed,
      " bytes but data_offsets hold ",
      held);
  return info;
}

std::map<std::string, std::string> parse_metadata(
    const json& object,
    const std::string& path) {
  ACCELERATE_CHECK(
      object.is_object(),
      CheckpointError,
      kWhere,
      "'",
      path,
      "': '__metadata__' must be an object of strings");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : object.items()) {
    ACCELERATE_CHECK(
        value.is_string(),
        CheckpointError,
        kWhere,
        "'",
        path,
        "': '__metadata__' field '",
        key,
        "' must be a string");
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

/// Orders the names by offset and demands that tensors follow each other
/// without hole or overlap and end where the file ends.
void check_layout(
    SafetensorsLayout& layout,
    std::uint64_t data_bytes,
    const std::string& path) {
  std::sort(
      layout.names.begin(),
      layout.names.end(),
      [&](const std::string& a, const std::string& b) {
        const TensorPlace& x = layout.tensors.at(a);
        const TensorPlace& y = layout.tensors.at(b);
        return std::tie(x.begin_byte, x.end_byte, a) <
            std::tie(y.begin_byte, y.end_byte, b);
      });
  std::uint64_t expected = 0;
  for (const std::string& name : layout.names) {
    const TensorPlace& info = layout.tensors.at(name);
    const Place place{path, name};
    place.require(
        info.begin_byte == expected,
        "begins at byte ",
        info.begin_byte,
        info.begin_byte < expected ? ", inside the tensor before it, which"
                                   : ", after a hole; the tensor before it",
        " ends at ",
        expected);
    place.require(
        info.end_byte <= data_bytes,
        "ends at byte ",
        info.end_byte,
        " but the file holds ",
        data_bytes,
        " bytes of data; was the copy interrupted?");
    expected = info.end_byte;
  }
  ACCELERATE_CHECK(
      expected == data_bytes,
      CheckpointError,
      kWhere,
      "'",
      path,
      "': the tensors end at byte ",
      expected,
      " but the file holds ",
      data_bytes,
      " bytes of data");
}

/// The header's text, once its length has been checked.
std::string_view header_text(std::string_view file, const std::string& path) {
  ACCELERATE_CHECK(
      file.size() >= kLengthBytes,
      CheckpointError,
      kWhere,
      "'",
      path,
      "': has ",
      file.size(),
      " bytes, a safetensors file has at least ",
      kLengthBytes);
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  ACCELERATE_CHECK(
      length <= kMaxHeaderBytes,
      CheckpointError,
      kWhere,
      "'",
      path,
      "': the header claims ",
      length,
      " bytes, the limit is ",
      kMaxHeaderBytes,
      "; is this a safetensors file?");
  ACCELERATE_CHECK(
      length <= file.size() - kLengthBytes,
      CheckpointError,
      kWhere,
      "'",
      path,
      "': the header claims ",
      length,
      " bytes but the file ends after ",
      file.size() - kLengthBytes,
      "; was the copy interrupted?");
  const std::string_view text = file.substr(kLengthBytes, length);
  ACCELERATE_CHECK(
      !text.empty() && text.front() == '{',
      CheckpointError,
      kWhere,
      "'",
      path,
      "': the header must start with '{'");
  return text;
}

json parse_header_json(std::string_view text, const std::string& path) {
  try {
    return parse_strict_json(text, kMaxDepth);
  } catch (const std::runtime_error& e) {
    throw CheckpointError(error_message(
        kWhere, concat("'", path, "': the header is not valid: ", e.what())));
  }
}

} // namespace

const char* tensor_dtype_name(TensorDtype dtype) {
  return kDtypes[static_cast<std::size_t>(dtype)].name;
}

std::size_t tensor_dtype_bytes(TensorDtype dtype) {
  return kDtypes[static_cast<std::size_t>(dtype)].bytes;
}

SafetensorsLayout parse_safetensors_layout(
    std::string_view file,
    const std::string& path) {
  const std::string_view text = header_text(file, path);
  const json root = parse_header_json(text, path);
  SafetensorsLayout layout;
  layout.data_start = kLengthBytes + text.size();
  for (const auto& [name, entry] : root.items()) {
    if (name == kMetadataKey) {
      layout.metadata = parse_metadata(entry, path);
      continue;
    }
    layout.tensors.emplace(name, parse_tensor(entry, Place{path, name}));
    layout.names.push_back(name);
  }
  check_layout(layout, file.size() - layout.data_start, path);
  return layout;
}

std::string render_safetensors_layout(const SafetensorsLayout& layout) {
  nlohmann::ordered_json::object_t fields;
  if (!layout.metadata.empty()) {
    fields.emplace_back(kMetadataKey, layout.metadata);
  }
  for (const std::string& name : layout.names) {
    ACCELERATE_CHECK(
        name != kMetadataKey,
        ConfigError,
        kWhere,
        "a tensor is named '__metadata__', which the format reserves");
    const TensorPlace& info = layout.tensors.at(name);
    nlohmann::ordered_json entry;
    entry["dtype"] = tensor_dtype_name(info.dtype);
    entry["shape"] = info.shape;
    entry["data_offsets"] = {info.begin_byte, info.end_byte};
    fields.emplace_back(name, std::move(entry));
  }
  std::string text;
  try {
    text = nlohmann::ordered_json(std::move(fields)).dump();
  } catch (const json::type_error& e) {
    throw ConfigError(error_message(
        kWhere, concat("a name or metadata is not UTF-8: ", e.what())));
  }
  text.resize((text.size() + kAlignBytes - 1) / kAlignBytes * kAlignBytes, ' ');
  ACCELERATE_CHECK(
      text.size() <= kMaxHeaderBytes,
      ConfigError,
      kWhere,
      "the header would have ",
      text.size(),
      " bytes, the limit is ",
      kMaxHeaderBytes,
      "; split the tensors over several files");
  std::string bytes(kLengthBytes, '\0');
  const std::uint64_t length = text.size();
  std::memcpy(bytes.data(), &length, kLengthBytes);
  return bytes + text;
}

} // namespace accelerate::io
