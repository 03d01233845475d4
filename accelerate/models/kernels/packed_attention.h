// accelerate/models/kernels/packed_attention.h: attention inside each packed
// sequence.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/models/kernels/dropout_stream.h"
#include "accelerate/models/packed_layout.h"

namespace accelerate::models {

/// Every token attends to the tokens of its sequence, bidirectionally.
/// Differentiable once.
/// @param qkv (T, 3 · hidden) floating: queries, keys, values side by side;
///   16-bit on the CPU is computed in float and rounded once
/// @param heads divides hidden
/// @param key dropout of the attention probabilities
/// @return (T, hidden)
[[nodiscard]] ACCELERATE_API at::Tensor packed_attention(
    const at::Tensor& qkv,
    const PackedLayout& layout,
    std::int64_t heads,
    const DropoutKey& key);

/// As packed_attention, for the first token of each sequence only: all that a
/// classifier needs from the last layer.
/// @param q (B, hidden)
/// @param kv (T, 2 · hidden): keys and values side by side
/// @return (B, hidden)
[[nodiscard]] ACCELERATE_API at::Tensor first_token_attention(
    const at::Tensor& q,
    const at::Tensor& kv,
    const PackedLayout& layout,
    std::int64_t heads,
    const DropoutKey& key);

} // namespace accelerate::models
