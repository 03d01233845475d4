// tests/unit/models/kernels/dropout_add_norm_test.cpp
#include "accelerate/models/kernels/dropout_add_norm.h"

#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <array>
#include <utility>

#include "accelerate/models/kernels/dropout.h"
#include "tests/unit/models/close_tensors.h"

namespace accelerate::models {
namespace {

constexpr double kEpsilon = 1e-5;

struct Case {
  std::int64_t rows, n;
  double dropout;
  bool has_bias, has_residual;
};

/// x, bias, residual, gamma, beta as leaves of one dtype.
using Inputs = std::array<at::Tensor, 5>;

Inputs random_inputs(const Case& c) {
  const auto leaf = [](at::Tensor t) { return t.requires_grad_(true); };
  return {
      leaf(at::randn({c.rows, c.n})),
      c.has_bias ? leaf(at::randn({c.n})) : at::Tensor(),
      c.has_residual ? leaf(at::randn({c.rows, c.n})) : at::Tensor(),
      leaf(at::randn({c.n})),
      leaf(at::randn({c.n}))};
}

Inputs in_double(const Inputs& inputs) {
  Inputs result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].defined()) {
      result[i] = inputs[i].detach().to(at::kDouble).requires_grad_(true);
    }
  }
  return result;
}

at::Tensor composed(const Inputs& in, const DropoutKey& key, const Case& c) {
  at::Tensor x = c.has_bias ? in[0] + in[1] : in[0];
  x = x * dropout_multipliers(key, c.rows, c.n);
  x = c.has_residual ? x + in[2] : x;
  return at::layer_norm(x, {c.n}, in[3], in[4], kEpsilon);
}

class DropoutAddNormCases : public testing::TestWithParam<Case> {};

TEST_P(DropoutAddNormCases, EqualsTheComposedFunctionsAndTheirGradients) {
  const Case c = GetParam();
  const DropoutKey key{11, 4, c.dropout};
  const Inputs inputs = random_inputs(c);
  const Inputs reference = in_double(inputs);
  const at::Tensor weights = at::randn({c.rows, c.n});

  // The kernel reuses the memory of x, so it gets a temporary.
  const at::Tensor y = dropout_add_norm(
      inputs[0] * 1,
      inputs[1],
      inputs[2],
      {inputs[3], inputs[4], kEpsilon},
      key);
  const at::Tensor expected = composed(reference, key, c);
  (y * weights).sum().backward();
  (expected * weights).sum().backward();

  EXPECT_TRUE(close(y, expected, 2e-5));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].defined()) {
      EXPECT_TRUE(close(inputs[i].grad(), reference[i].grad(), 5e-5)) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows,
    DropoutAddNormCases,
    testing::Values(
        Case{0, 8, 0.0, true, true},
        Case{1, 8, 0.0, true, true},
        Case{5, 37, 0.0, true, true},
        Case{5, 37, 0.3, true, true},
        Case{3, 384, 0.1, true, true},
        Case{70, 129, 0.5, true, false},
        Case{70, 64, 0.5, false, true},
        Case{4, 16, 0.0, false, false}));

TEST(DropoutAddNorm, GivesBetaForAConstantRow) {
  const at::Tensor beta = at::randn({32});
  const at::Tensor y = dropout_add_norm(
      at::full({2, 32}, 7.0),
      {},
      {},
      {at::ones({32}), beta, kEpsilon},
      {0, 0, 0.0});
  EXPECT_TRUE(close(y, beta.expand({2, 32}), 1e-5));
}

TEST(DropoutAddNorm, TakesOtherDtypes) {
  const at::Tensor x = at::randn({3, 8}, at::kDouble);
  const at::Tensor residual = at::randn({3, 8}, at::kDouble);
  const at::Tensor one = at::ones({8}, at::kDouble);
  const at::Tensor zero = at::zeros({8}, at::kDouble);
  EXPECT_TRUE(close(
      dropout_add_norm(x, zero, residual, {one, zero, kEpsilon}, {0, 0, 0.0}),
      at::layer_norm(x + residual, {8}, one, zero, kEpsilon),
      1e-12));
}

TEST(LowDropoutAddNorm, KeepsTheResidualInFloat) {
  for (const auto& [dtype, step] :
       {std::pair(at::kBFloat16, 0x1p-8), std::pair(at::kHalf, 0x1p-11)}) {
    const Case c{35, 50, 0.2, true, true};
    const DropoutKey key{11, 3, c.dropout};
    Inputs in = random_inputs(c);
    in[0] = in[0].detach().to(dtype).requires_grad_(true);
    Inputs wide = in_double(in);
    const at::Tensor dy = at::randn({c.rows, c.n});
    const at::Tensor dy_low = at::randn({c.rows, c.n}).to(dtype);
    const HiddenState y = low_dropout_add_norm(
        in[0].clone(), in[1], in[2], {in[3], in[4], kEpsilon}, key);
    const at::Tensor expected = composed(wide, key, c);
    // Not rounded, and rounded.
    EXPECT_TRUE(close(y.values, expected, 2e-5));
    EXPECT_TRUE(at::equal(y.low, y.values.to(dtype)));

    ((y.values * dy).sum() + (y.low * dy_low).sum()).backward();
    (expected * (dy + dy_low).to(at::kDouble)).sum().backward();
    // The normalised values are kept in 16 bits; the gradients of rows are up
    // to 20, sums over the 35 rows add their roundings.
    EXPECT_TRUE(close(in[0].grad(), wide[0].grad(), 20 * step));
    EXPECT_TRUE(close(in[2].grad(), wide[2].grad(), 20 * step));
    EXPECT_EQ(in[2].grad().scalar_type(), at::kFloat);
    EXPECT_TRUE(close(in[1].grad(), wide[1].grad(), 40 * step));
    EXPECT_TRUE(close(in[3].grad(), wide[3].grad(), 40 * step));
    EXPECT_TRUE(close(in[4].grad(), wide[4].grad(), 1e-4));
  }
}

TEST(LowDropoutAddNorm, TakesTheGradientOfEitherOutput) {
  const Case c{3, 16, 0, true, true};
  for (const bool through_low : {true, false}) {
    Inputs in = random_inputs(c);
    in[0] = in[0].detach().to(at::kBFloat16).requires_grad_(true);
    Inputs wide = in_double(in);
    const HiddenState y = low_dropout_add_norm(
        in[0].clone(), in[1], in[2], {in[3], in[4], kEpsilon}, {});
    (through_low ? y.low.to(at::kFloat) : y.values).sum().backward();
    composed(wide, {}, c).sum().backward();
    EXPECT_TRUE(close(in[4].grad(), wide[4].grad(), 1e-4));
    EXPECT_TRUE(close(in[0].grad(), wide[0].grad(), 0.1));
  }
}

} // namespace
} // namespace accelerate::models
