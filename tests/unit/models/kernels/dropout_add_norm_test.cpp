// tests/unit/models/kernels/dropout_add_norm_test.cpp
#include "accelerate/models/kernels/dropout_add_norm.h"

#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <array>

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

} // namespace
} // namespace accelerate::models
