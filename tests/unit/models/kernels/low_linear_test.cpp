// tests/unit/models/kernels/low_linear_test.cpp: products of 16-bit matrices,
// the rounded weights, and the layer made of both.
#include "accelerate/models/kernels/low_linear.h"

#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <atomic>
#include <thread>
#include <tuple>
#include <vector>

#include "accelerate/error.h"
#include "tests/unit/models/close_tensors.h"

namespace accelerate::models {
namespace {

/// Half a step of the format, relative: the error of one rounding.
double rounding(at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? 0x1p-8 : 0x1p-11;
}

/// One rounding of the largest value, and sums in another order.
double tolerance(const at::Tensor& expected, at::ScalarType dtype) {
  return expected.numel() == 0
      ? 0
      : expected.abs().max().item<double>() * (rounding(dtype) + 1e-6);
}

using ProductCase = std::tuple<std::int64_t, at::ScalarType, ProductPath>;
class LowProducts : public testing::TestWithParam<ProductCase> {};

TEST_P(LowProducts, RoundTheExactOnesOnce) {
  const auto [rows, dtype, path] = GetParam();
  const at::Tensor x = at::randn({rows, 24}).to(dtype);
  const at::Tensor weight = at::randn({40, 24}).to(dtype);
  const at::Tensor dy = at::randn({rows, 40}).to(dtype);
  const at::Tensor bias = at::randn({40}).to(dtype).to(at::kFloat);
  const at::Tensor x64 = x.to(at::kDouble);
  const at::Tensor weight64 = weight.to(at::kDouble);
  const at::Tensor dy64 = dy.to(at::kDouble);

  const at::Tensor y = low_product(x, weight, bias, path);
  const at::Tensor expected = at::linear(x64, weight64, bias.to(at::kDouble));
  EXPECT_EQ(y.scalar_type(), dtype);
  EXPECT_TRUE(close(y, expected, tolerance(expected, dtype)));
  const LowProductGradients gradients = low_product_backward(
      dy, x, weight, {true, {{16, true}, {8, false}, {16, true}}}, path);
  const at::Tensor dx = at::mm(dy64, weight64);
  EXPECT_TRUE(close(gradients.dx, dx, tolerance(dx, dtype)));
  const at::Tensor dweight = at::mm(dy64.t(), x64);
  // Through float they are not rounded at all.
  const double error =
      path == ProductPath::kThroughFloat ? 1e-4 : tolerance(dweight, dtype);
  EXPECT_TRUE(close(gradients.dweights[0], dweight.narrow(0, 0, 16), error));
  EXPECT_FALSE(gradients.dweights[1].defined());
  EXPECT_TRUE(close(gradients.dweights[2], dweight.narrow(0, 24, 16), error));
  EXPECT_EQ(gradients.dweights[2].scalar_type(), at::kFloat);
}

INSTANTIATE_TEST_SUITE_P(
    Rows,
    LowProducts,
    testing::Combine(
        // 2100 is more than one block.
        testing::Values(1, 7, 32, 2100),
        testing::Values(at::kBFloat16, at::kHalf),
        testing::Values(ProductPath::kNative, ProductPath::kThroughFloat)));

TEST(LowProduct, OfNoRowsGivesZeroGradients) {
  const at::Tensor x = at::randn({0, 3}).to(at::kBFloat16);
  const auto gradients = low_product_backward(
      at::randn({0, 2}).to(at::kBFloat16),
      x,
      at::randn({2, 3}).to(at::kBFloat16),
      {true, {{2, true}}},
      ProductPath::kThroughFloat);
  EXPECT_EQ(gradients.dx.sizes(), x.sizes());
  EXPECT_TRUE(close(gradients.dweights[0], at::full({2, 3}, 0.0), 0));
}

TEST(LowWeights, AreRoundedOnceAndBelowEachOther) {
  LowWeights low;
  const std::array<at::Tensor, 2> weights{
      at::randn({3, 5}), at::randn({4, 10}).narrow(1, 0, 5)};
  const at::Tensor first = low.get(weights, at::kBFloat16);
  const at::Tensor expected = at::cat(weights).to(at::kBFloat16);
  EXPECT_TRUE(at::equal(first, expected));
  EXPECT_TRUE(low.get(weights, at::kBFloat16).is_same(first));
  EXPECT_TRUE(
      at::equal(low.get(weights, at::kHalf), at::cat(weights).to(at::kHalf)));
  // Somebody still held the other one.
  EXPECT_TRUE(at::equal(first, expected));
}

TEST(LowWeights, FollowEveryChangeOfTheWeights) {
  LowWeights low;
  at::Tensor weight = at::randn({40, 60}).requires_grad_(true);
  const auto expect_current = [&](const char* change) {
    EXPECT_TRUE(at::equal(
        low.get(weight, at::kBFloat16), weight.detach().to(at::kBFloat16)))
        << change;
  };
  expect_current("made");
  {
    const at::NoGradGuard no_grad;
    weight.view(-1)[777].fill_(5);
    expect_current("one number in place");
    weight.copy_(at::randn({40, 60}));
    expect_current("loaded");
    weight.detach().mul_(2);
    expect_current("through a detached tensor");
  }
  weight.set_data(at::randn({40, 60}));
  expect_current("other memory");
  weight.set_data(at::randn({40, 60}));
  expect_current("other memory at the same place, perhaps");
  weight.data().sub_(0.1);
  expect_current("through data(), which counts no version");
  low.release();
  expect_current("released");
}

TEST(LowWeights, LeaveACopyThatIsHeldAlone) {
  LowWeights low;
  at::Tensor weight = at::full({2, 2}, 1.0);
  const at::Tensor held = low.get(weight, at::kHalf);
  weight.fill_(2);
  EXPECT_TRUE(close(low.get(weight, at::kHalf), at::full({2, 2}, 2.0), 0));
  EXPECT_TRUE(close(held, at::full({2, 2}, 1.0), 0));
}

TEST(LowWeights, TakeTensorsOfInferenceMode) {
  LowWeights low;
  at::Tensor weight;
  {
    const c10::InferenceMode inference;
    weight = at::full({2, 2}, 1.0);
    EXPECT_TRUE(close(low.get(weight, at::kHalf), weight, 0));
    weight.fill_(3);
    EXPECT_TRUE(close(low.get(weight, at::kHalf), weight, 0));
  }
  // What inference made serves training.
  at::Tensor x = at::full({1, 2}, 1.0).to(at::kHalf).requires_grad_(true);
  low_linear(x, weight, low, {}).sum().backward();
  EXPECT_TRUE(close(x.grad(), at::full({1, 2}, 6.0), 0));
}

TEST(LowWeights, ServeSeveralThreads) {
  LowWeights low;
  const at::Tensor weight = at::randn({64, 64});
  const at::Tensor expected = weight.to(at::kBFloat16);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        wrong += at::equal(low.get(weight, at::kBFloat16), expected) ? 0 : 1;
        low.release();
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
}

TEST(LowLinear, GivesFloatGradientsOfItsThreeWeights) {
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf}) {
    LowWeights low;
    std::array<at::Tensor, 3> weights;
    for (at::Tensor& weight : weights) {
      weight = at::randn({6, 10}).requires_grad_(true);
    }
    weights[1].requires_grad_(false);
    at::Tensor bias = at::randn({18}).requires_grad_(true);
    at::Tensor x = at::randn({70, 10}).to(dtype).requires_grad_(true);
    const at::Tensor upstream = at::randn({70, 18}).to(dtype);
    (low_linear(x, weights, low, bias) * upstream).sum().backward();

    at::Tensor x64 = x.detach().to(at::kDouble).requires_grad_(true);
    at::Tensor w64 = at::cat(weights)
                         .detach()
                         .to(dtype)
                         .to(at::kDouble)
                         .requires_grad_(true);
    (at::mm(x64, w64.t()) * upstream.to(at::kDouble)).sum().backward();
    EXPECT_EQ(weights[0].grad().scalar_type(), at::kFloat);
    EXPECT_EQ(x.grad().scalar_type(), dtype);
    EXPECT_TRUE(close(x.grad(), x64.grad(), tolerance(x64.grad(), dtype)));
    EXPECT_TRUE(close(weights[0].grad(), w64.grad().narrow(0, 0, 6), 1e-4));
    EXPECT_FALSE(weights[1].grad().defined());
    EXPECT_TRUE(close(weights[2].grad(), w64.grad().narrow(0, 12, 6), 1e-4));
    EXPECT_TRUE(close(bias.grad(), upstream.to(at::kDouble).sum(0), 1e-4));
  }
}

TEST(LowLinear, RefusesWeightsOfAnotherKind) {
  LowWeights low;
  EXPECT_THROW(
      (void)low_linear(
          at::randn({1, 2}).to(at::kHalf),
          at::randn({2, 2}, at::kDouble),
          low,
          {}),
      ConfigError);
}

} // namespace
} // namespace accelerate::models
