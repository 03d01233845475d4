// accelerate/models/packed_layout.h: where the real tokens of a padded batch
// stand when they are packed one after the other.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"

namespace accelerate::models {

/// Real tokens of a padded batch (B, L), packed to (T, …) in row order:
/// everything but attention works on T tokens and never sees padding.
struct PackedLayout {
  std::int64_t batch = 0; ///< B
  std::int64_t length = 0; ///< L
  std::int64_t tokens = 0; ///< T, at most B · L
  at::Tensor rows; ///< (T) int64, index into the flattened (B · L)
  at::Tensor columns; ///< (T) int64, position in its sequence, below L
  at::Tensor starts; ///< (B + 1) int64 on the CPU: first token, then T
  at::Tensor real; ///< (B, L) bool, false where padded

  [[nodiscard]] bool has_padding() const {
    return tokens != batch * length;
  }
};

/// @param input_ids (B, L) integer
/// @param attention_mask nullptr: no padding; else (B, L), not zero where a
///   token is real. Every row must begin with a real token.
/// @throws ConfigError on other shapes and on rows that begin with padding.
[[nodiscard]] ACCELERATE_API PackedLayout make_packed_layout(
    const at::Tensor& input_ids,
    const at::Tensor* attention_mask);

/// (T, …) → (B, L, …) with zeros where padded. Differentiable.
[[nodiscard]] ACCELERATE_API at::Tensor unpack(
    const at::Tensor& packed,
    const PackedLayout& layout);

/// (B, L, …) → (T, …). Differentiable.
[[nodiscard]] ACCELERATE_API at::Tensor pack(
    const at::Tensor& padded,
    const PackedLayout& layout);

} // namespace accelerate::models
