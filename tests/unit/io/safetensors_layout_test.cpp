// tests/unit/io/safetensors_layout_test.cpp: names and sizes of the element
// types, and layouts read back. Hostile files: safetensors_header_test.cpp.
#include "accelerate/io/safetensors_layout.h"

#include "accelerate/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace accelerate::io {
namespace {

using ::testing::ElementsAre;

TEST(SafetensorsLayout, KnowsTheTypesByTheirBits) {
  for (std::size_t position = 0; position < kTensorDtypes; ++position) {
    const auto dtype = static_cast<TensorDtype>(position);
    const std::string_view name = tensor_dtype_name(dtype);
    const auto digits = name.find_first_of("0123456789");
    const std::size_t bits = digits == std::string_view::npos
        ? 8
        : std::stoul(std::string(name.substr(digits)));
    EXPECT_EQ(tensor_dtype_bytes(dtype) * 8, bits) << name;
  }
  EXPECT_STREQ(tensor_dtype_name(TensorDtype::kBool), "BOOL");
  EXPECT_STREQ(tensor_dtype_name(TensorDtype::kF8E8m0), "F8_E8M0");
  EXPECT_STREQ(tensor_dtype_name(TensorDtype::kU64), "U64");
}

TEST(SafetensorsLayout, IsReadAsItWasWritten) {
  SafetensorsLayout layout;
  layout.names = {"w", "empty"};
  layout.metadata = {{"format", "pt"}};
  layout.tensors["w"] = {TensorDtype::kBF16, {2, 3}, 0, 12};
  layout.tensors["empty"] = {TensorDtype::kI64, {0, 7}, 12, 12};
  const std::string bytes =
      render_safetensors_layout(layout) + std::string(12, 'x');
  EXPECT_EQ((bytes.size() - 12) % 8, 0U);
  const SafetensorsLayout read = parse_safetensors_layout(bytes, "file");
  EXPECT_THAT(read.names, ElementsAre("w", "empty"));
  EXPECT_EQ(read.metadata, layout.metadata);
  EXPECT_EQ(read.data_start, bytes.size() - 12);
  EXPECT_EQ(read.tensors.at("w").dtype, TensorDtype::kBF16);
  EXPECT_THAT(read.tensors.at("w").shape, ElementsAre(2, 3));
  EXPECT_EQ(read.tensors.at("empty").end_byte, 12U);
  EXPECT_THROW(
      (void)parse_safetensors_layout(bytes.substr(0, bytes.size() - 1), "file"),
      CheckpointError);
}

} // namespace
} // namespace accelerate::io
