// tests/unit/models/kernels/packed_attention_test.cpp
#include "accelerate/models/kernels/packed_attention.h"

#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "accelerate/models/kernels/dropout.h"
#include "tests/unit/models/close_tensors.h"

namespace accelerate::models {
namespace {

struct Case {
  std::vector<std::int64_t> lengths;
  std::int64_t heads, head_dim;
  double dropout;
};

PackedLayout layout_of(const std::vector<std::int64_t>& lengths) {
  const auto batch = static_cast<std::int64_t>(lengths.size());
  const std::int64_t longest =
      *std::max_element(lengths.begin(), lengths.end());
  at::Tensor mask = at::zeros({batch, longest}, at::kLong);
  for (std::int64_t b = 0; b < batch; ++b) {
    mask.select(0, b)
        .narrow(0, 0, lengths[static_cast<std::size_t>(b)])
        .fill_(1);
  }
  return make_packed_layout(mask, &mask);
}

/// One head of one sequence, as the definition says. `unit` is the row of the
/// random numbers; rows of the mask are keys rounded up to 16.
at::Tensor one_head(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const DropoutKey& key,
    std::int64_t unit) {
  const std::int64_t keys = k.size(0);
  const std::int64_t stride = (keys + 15) / 16 * 16;
  const at::Tensor scores =
      at::matmul(q, k.t()) / std::sqrt(static_cast<double>(q.size(1)));
  const at::Tensor keep = dropout_multipliers(key, unit + 1, q.size(0) * stride)
                              .select(0, unit)
                              .reshape({q.size(0), stride})
                              .narrow(1, 0, keys);
  return at::matmul(at::softmax(scores, 1) * keep, v);
}

/// All heads of all sequences; first_only: q has one row per sequence.
at::Tensor composed(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const PackedLayout& layout,
    const Case& c,
    const DropoutKey& key) {
  std::vector<at::Tensor> sequences;
  std::int64_t start = 0;
  for (std::size_t s = 0; s < c.lengths.size(); ++s) {
    const std::int64_t n = c.lengths[s];
    const auto row = static_cast<std::int64_t>(s);
    const bool first_only = q.size(0) != layout.tokens;
    std::vector<at::Tensor> heads;
    for (std::int64_t h = 0; h < c.heads; ++h) {
      const auto part = [&](const at::Tensor& t,
                            std::int64_t first,
                            std::int64_t rows) {
        return t.narrow(0, first, rows).narrow(1, h * c.head_dim, c.head_dim);
      };
      heads.push_back(one_head(
          first_only ? part(q, row, 1) : part(q, start, n),
          part(k, start, n),
          part(v, start, n),
          key,
          row * c.heads + h));
    }
    sequences.push_back(at::cat(heads, 1));
    start += n;
  }
  return at::cat(sequences, 0);
}

class PackedAttentionCases : public testing::TestWithParam<Case> {};

TEST_P(PackedAttentionCases, EqualsItsDefinitionAndItsGradients) {
  const Case c = GetParam();
  const PackedLayout layout = layout_of(c.lengths);
  const std::int64_t hidden = c.heads * c.head_dim;
  const DropoutKey key{77, 3, c.dropout};
  at::Tensor qkv = at::randn({layout.tokens, 3 * hidden}).requires_grad_(true);
  at::Tensor reference = qkv.detach().to(at::kDouble).requires_grad_(true);
  const at::Tensor weights = at::randn({layout.tokens, hidden});

  const at::Tensor out = packed_attention(qkv, layout, c.heads, key);
  const auto parts = reference.chunk(3, 1);
  const at::Tensor expected =
      composed(parts[0], parts[1], parts[2], layout, c, key);
  (out * weights).sum().backward();
  (expected * weights).sum().backward();

  EXPECT_TRUE(close(out, expected, 1e-5));
  EXPECT_TRUE(close(qkv.grad(), reference.grad(), 3e-5));
}

TEST_P(PackedAttentionCases, RoundsSixteenBitsOnce) {
  const Case c = GetParam();
  const PackedLayout layout = layout_of(c.lengths);
  const std::int64_t hidden = c.heads * c.head_dim;
  const DropoutKey key{77, 3, c.dropout};
  for (const auto& [dtype, step] :
       {std::pair(at::kBFloat16, 0x1p-8), std::pair(at::kHalf, 0x1p-11)}) {
    at::Tensor q = at::randn({layout.batch, hidden}).to(dtype);
    at::Tensor qkv = at::randn({layout.tokens, 3 * hidden}).to(dtype);
    qkv.requires_grad_(true);
    at::Tensor reference = qkv.detach().to(at::kDouble).requires_grad_(true);
    const at::Tensor weights = at::randn({layout.tokens, hidden}).to(dtype);
    const at::Tensor out = packed_attention(qkv, layout, c.heads, key);
    const auto parts = reference.chunk(3, 1);
    const at::Tensor expected =
        composed(parts[0], parts[1], parts[2], layout, c, key);
    (out * weights).sum().backward();
    (expected * weights.to(at::kDouble)).sum().backward();
    const auto largest = [](const at::Tensor& t) {
      return t.abs().max().item<double>();
    };
    EXPECT_EQ(out.scalar_type(), dtype);
    EXPECT_TRUE(close(out, expected, step * largest(expected)));
    EXPECT_TRUE(
        close(qkv.grad(), reference.grad(), step * largest(reference.grad())));
    EXPECT_TRUE(close(
        first_token_attention(
            q, qkv.narrow(1, hidden, 2 * hidden), layout, c.heads, key),
        composed(q.to(at::kDouble), parts[1], parts[2], layout, c, key),
        step * 5));
  }
}

TEST_P(PackedAttentionCases, EqualsItsDefinitionForFirstTokens) {
  const Case c = GetParam();
  const PackedLayout layout = layout_of(c.lengths);
  const std::int64_t hidden = c.heads * c.head_dim;
  const DropoutKey key{78, 1, c.dropout};
  at::Tensor q = at::randn({layout.batch, hidden}).requires_grad_(true);
  at::Tensor kv = at::randn({layout.tokens, 2 * hidden}).requires_grad_(true);
  at::Tensor reference_q = q.detach().to(at::kDouble).requires_grad_(true);
  at::Tensor reference_kv = kv.detach().to(at::kDouble).requires_grad_(true);
  const at::Tensor weights = at::randn({layout.batch, hidden});

  const at::Tensor out = first_token_attention(q, kv, layout, c.heads, key);
  const auto parts = reference_kv.chunk(2, 1);
  const at::Tensor expected =
      composed(reference_q, parts[0], parts[1], layout, c, key);
  (out * weights).sum().backward();
  (expected * weights).sum().backward();

  EXPECT_TRUE(close(out, expected, 1e-5));
  EXPECT_TRUE(close(q.grad(), reference_q.grad(), 3e-5));
  EXPECT_TRUE(close(kv.grad(), reference_kv.grad(), 3e-5));
}

INSTANTIATE_TEST_SUITE_P(
    Rows,
    PackedAttentionCases,
    testing::Values(
        Case{{1}, 1, 1, 0.0},
        Case{{3, 1, 7}, 2, 4, 0.0},
        // One sequence has two tokens and the first-token form two rows.
        Case{{16, 17, 15}, 3, 32, 0.0},
        Case{{16, 17, 15}, 3, 32, 0.4},
        Case{{5, 64, 1, 33}, 2, 24, 0.1},
        Case{{130, 2}, 1, 64, 0.1},
        Case{{9, 4}, 4, 5, 0.2}));

TEST(PackedAttention, GivesTheSameInDoubleThroughThePaddedPath) {
  const PackedLayout layout = layout_of({4, 1, 9});
  const at::Tensor qkv = at::randn({layout.tokens, 3 * 16});
  const at::Tensor own = packed_attention(qkv, layout, 2, {0, 0, 0.0});
  const at::Tensor padded =
      packed_attention(qkv.to(at::kDouble), layout, 2, {0, 0, 0.0});
  EXPECT_TRUE(close(own, padded, 1e-6));
  const at::Tensor q = qkv.narrow(0, 0, 3).narrow(1, 0, 16);
  const at::Tensor kv = qkv.narrow(1, 16, 32);
  EXPECT_TRUE(close(
      first_token_attention(q, kv, layout, 2, {0, 0, 0.0}),
      first_token_attention(
          q.to(at::kDouble), kv.to(at::kDouble), layout, 2, {0, 0, 0.0}),
      1e-6));
}

TEST(PackedAttention, StandsLargeScores) {
  const PackedLayout layout = layout_of({8});
  at::Tensor qkv = at::randn({8, 48}) * 100;
  qkv.requires_grad_(true);
  const at::Tensor out = packed_attention(qkv, layout, 1, {0, 0, 0.0});
  out.sum().backward();
  EXPECT_TRUE(out.isfinite().all().item<bool>());
  EXPECT_TRUE(qkv.grad().isfinite().all().item<bool>());
}

} // namespace
} // namespace accelerate::models
