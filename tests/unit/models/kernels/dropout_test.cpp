// tests/unit/models/kernels/dropout_test.cpp
#include "accelerate/models/kernels/dropout.h"

#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>

#include <cmath>

namespace accelerate::models {
namespace {

TEST(Dropout, KeepsEverythingAtProbabilityZero) {
  const at::Tensor x = at::ones({2, 3});
  EXPECT_EQ(dropout(x, {1, 2, 0.0}).const_data_ptr(), x.const_data_ptr());
  EXPECT_TRUE(
      at::equal(dropout_multipliers({1, 2, 0.0}, 3, 5), at::ones({3, 5})));
}

TEST(Dropout, KeepsTheMeanAndDropsTheShareAskedFor) {
  constexpr std::int64_t kRows = 500;
  constexpr std::int64_t kColumns = 1000;
  for (const double p : {0.1, 0.5, 0.9}) {
    const at::Tensor keep = dropout_multipliers({42, 0, p}, kRows, kColumns);
    const double dropped = keep.eq(0).to(at::kDouble).mean().item<double>();
    // Five standard deviations of a binomial share.
    const double deviation = std::sqrt(p * (1 - p) / (kRows * kColumns));
    EXPECT_NEAR(dropped, p, 5 * deviation + 1.0 / 65536) << p;
    EXPECT_NEAR(
        keep.to(at::kDouble).mean().item<double>(),
        1.0,
        6 * deviation / (1 - p));
  }
}

TEST(Dropout, IsAFunctionOfItsKey) {
  const auto mask = [](std::uint64_t seed, std::uint32_t site) {
    return dropout_multipliers({seed, site, 0.5}, 8, 200);
  };
  EXPECT_TRUE(at::equal(mask(7, 3), mask(7, 3)));
  EXPECT_FALSE(at::equal(mask(7, 3), mask(7, 4)));
  EXPECT_FALSE(at::equal(mask(7, 3), mask(8, 3)));
  EXPECT_FALSE(at::equal(mask(7, 3), mask(7 + (1ull << 32), 3)));
}

TEST(Dropout, HasIndependentRowsSitesAndSeeds) {
  // Agreement of two independent fair masks is one half.
  const auto agreement = [](const at::Tensor& a, const at::Tensor& b) {
    return a.eq(b).to(at::kDouble).mean().item<double>();
  };
  const at::Tensor a = dropout_multipliers({1, 0, 0.5}, 64, 1024);
  EXPECT_NEAR(
      agreement(a, dropout_multipliers({1, 1, 0.5}, 64, 1024)), 0.5, 0.01);
  EXPECT_NEAR(
      agreement(a, dropout_multipliers({2, 0, 0.5}, 64, 1024)), 0.5, 0.01);
  EXPECT_NEAR(agreement(a, a.roll(1, 0)), 0.5, 0.01);
  EXPECT_NEAR(agreement(a, a.roll(1, 1)), 0.5, 0.01);
  EXPECT_NEAR(agreement(a, a.roll(64, 1)), 0.5, 0.01);
}

TEST(Dropout, MultipliesGradientsByTheSameMask) {
  const DropoutKey key{3, 9, 0.3};
  at::Tensor x = at::ones({5, 37}).requires_grad_(true);
  const at::Tensor y = dropout(x, key);
  y.sum().backward();
  EXPECT_TRUE(at::equal(y, dropout_multipliers(key, 5, 37)));
  EXPECT_TRUE(at::equal(x.grad(), y));
}

TEST(Dropout, DoesNotDependOnTheLengthOfTheRow) {
  const at::Tensor longer = dropout_multipliers({5, 1, 0.5}, 3, 300);
  for (const std::int64_t n : {1, 127, 128, 129}) {
    EXPECT_TRUE(at::equal(
        dropout_multipliers({5, 1, 0.5}, 3, n), longer.narrow(1, 0, n)));
  }
}

} // namespace
} // namespace accelerate::models
