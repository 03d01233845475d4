// tests/unit/models/kernels/bias_gelu_test.cpp
#include "accelerate/models/kernels/bias_gelu.h"

#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <utility>

#include "tests/unit/models/close_tensors.h"

namespace accelerate::models {
namespace {

struct Shape {
  std::int64_t rows, n;
};

class BiasGeluShapes : public testing::TestWithParam<Shape> {};

TEST_P(BiasGeluShapes, EqualsAtensGeluAndItsGradients) {
  const auto [rows, n] = GetParam();
  at::Tensor x = (at::randn({rows, n}) * 3).requires_grad_(true);
  at::Tensor bias = at::randn({n}).requires_grad_(true);
  const at::Tensor weights = at::randn({rows, n});
  at::Tensor reference_x = x.detach().to(at::kDouble).requires_grad_(true);
  at::Tensor reference_bias =
      bias.detach().to(at::kDouble).requires_grad_(true);

  const at::Tensor y = bias_gelu(x, bias);
  const at::Tensor expected = at::gelu(reference_x + reference_bias);
  (y * weights).sum().backward();
  (expected * weights).sum().backward();

  EXPECT_TRUE(close(y, expected, 2e-6));
  EXPECT_TRUE(close(x.grad(), reference_x.grad(), 2e-6));
  EXPECT_TRUE(close(bias.grad(), reference_bias.grad(), 2e-5));
}

INSTANTIATE_TEST_SUITE_P(
    Rows,
    BiasGeluShapes,
    testing::Values(
        Shape{0, 8},
        Shape{1, 1},
        Shape{3, 16},
        Shape{7, 37},
        Shape{130, 64}));

TEST(BiasGelu, IsRightFarFromZero) {
  const at::Tensor x = at::linspace(-100, 100, 4001).reshape({1, -1});
  const at::Tensor bias = at::zeros({4001});
  EXPECT_TRUE(close(bias_gelu(x, bias), at::gelu(x.to(at::kDouble)), 1e-5));
}

TEST(BiasGelu, RoundsSixteenBitsOnce) {
  for (const auto& [dtype, step] :
       {std::pair(at::kBFloat16, 0x1p-8), std::pair(at::kHalf, 0x1p-11)}) {
    at::Tensor x = at::randn({9, 37}).to(dtype).requires_grad_(true);
    at::Tensor bias = at::randn({37}).requires_grad_(true);
    const at::Tensor weights = at::randn({9, 37}).to(dtype);
    at::Tensor x64 = x.detach().to(at::kDouble).requires_grad_(true);
    at::Tensor bias64 = bias.detach().to(at::kDouble).requires_grad_(true);
    const at::Tensor y = bias_gelu(x, bias);
    const at::Tensor expected = at::gelu(x64 + bias64);
    (y * weights).sum().backward();
    (expected * weights.to(at::kDouble)).sum().backward();
    const double largest = expected.abs().max().item<double>();
    EXPECT_EQ(y.scalar_type(), dtype);
    EXPECT_TRUE(close(y, expected, step * largest));
    EXPECT_TRUE(close(x.grad(), x64.grad(), step * 8));
    EXPECT_EQ(bias.grad().scalar_type(), at::kFloat);
    EXPECT_TRUE(close(bias.grad(), bias64.grad(), 2e-5));
  }
}

TEST(BiasGelu, TakesOtherDtypes) {
  const at::Tensor x = at::randn({4, 5}, at::kDouble);
  const at::Tensor bias = at::randn({5}, at::kDouble);
  EXPECT_TRUE(close(bias_gelu(x, bias), at::gelu(x + bias), 1e-12));
}

TEST(BiasGelu, TakesTransposedInput) {
  const at::Tensor x = at::randn({5, 4}).t();
  const at::Tensor bias = at::randn({5});
  EXPECT_TRUE(close(bias_gelu(x, bias), at::gelu(x + bias), 1e-6));
}

} // namespace
} // namespace accelerate::models
