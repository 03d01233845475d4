// tests/unit/models/packed_layout_test.cpp
#include "accelerate/models/packed_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <vector>

#include "accelerate/error.h"

namespace accelerate::models {
namespace {

std::vector<std::int64_t> values(const at::Tensor& tensor) {
  const auto* data = tensor.const_data_ptr<std::int64_t>();
  return {data, data + tensor.numel()};
}

at::Tensor mask(std::vector<std::int64_t> flat, std::int64_t length) {
  return at::tensor(flat).reshape({-1, length});
}

TEST(PackedLayout, RejectsARowThatBeginsWithPadding) {
  const at::Tensor real = mask({1, 1, 0, 0, 1, 1}, 3);
  try {
    (void)make_packed_layout(at::zeros({2, 3}, at::kLong), &real);
    FAIL() << "expected ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("row 1"));
  }
}

TEST(PackedLayout, RejectsOtherShapes) {
  const at::Tensor real = at::ones({2, 4}, at::kLong);
  const at::Tensor ids = at::zeros({2, 3}, at::kLong);
  EXPECT_THROW((void)make_packed_layout(ids, &real), ConfigError);
  EXPECT_THROW((void)make_packed_layout(ids.flatten(), nullptr), ConfigError);
  EXPECT_THROW(
      (void)make_packed_layout(at::zeros({0, 3}), nullptr), ConfigError);
}

TEST(PackedLayout, ListsTheRealTokensInRowOrder) {
  const at::Tensor real = mask({1, 1, 0, 1, 0, 0, 1, 0, 1}, 3);
  const PackedLayout layout =
      make_packed_layout(at::zeros({3, 3}, at::kLong), &real);
  EXPECT_EQ(layout.tokens, 5);
  EXPECT_EQ(values(layout.rows), (std::vector<std::int64_t>{0, 1, 3, 6, 8}));
  EXPECT_EQ(values(layout.columns), (std::vector<std::int64_t>{0, 1, 0, 0, 2}));
  EXPECT_EQ(values(layout.starts), (std::vector<std::int64_t>{0, 2, 3, 5}));
}

TEST(PackedLayout, TakesMasksOfAnyDtype) {
  const at::Tensor real = mask({1, 0, 1, 1}, 2);
  for (const auto dtype : {at::kBool, at::kInt, at::kFloat}) {
    const at::Tensor typed = real.to(dtype);
    EXPECT_EQ(
        make_packed_layout(at::zeros({2, 2}, at::kLong), &typed).tokens, 3);
  }
}

TEST(PackedLayout, PacksAndUnpacksWithZerosBetween) {
  const at::Tensor real = mask({1, 0, 1, 1}, 2);
  const PackedLayout layout =
      make_packed_layout(at::zeros({2, 2}, at::kLong), &real);
  const at::Tensor padded = at::arange(1, 13).reshape({2, 2, 3});
  const at::Tensor packed = pack(padded, layout);
  EXPECT_EQ(packed.size(0), 3);
  EXPECT_TRUE(at::equal(unpack(packed, layout), padded * real.unsqueeze(2)));
}

TEST(PackedLayout, CopiesNothingWithoutPadding) {
  const PackedLayout layout =
      make_packed_layout(at::zeros({2, 2}, at::kLong), nullptr);
  const at::Tensor padded = at::ones({2, 2, 3});
  EXPECT_FALSE(layout.has_padding());
  EXPECT_EQ(pack(padded, layout).const_data_ptr(), padded.const_data_ptr());
}

} // namespace
} // namespace accelerate::models
