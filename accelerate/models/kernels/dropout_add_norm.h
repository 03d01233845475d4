// accelerate/models/kernels/dropout_add_norm.h: the end of each half of a
// transformer layer in one pass.
#pragma once

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/models/kernels/dropout_stream.h"

namespace accelerate::models {

/// Scale and shift of a LayerNorm over the last dimension.
struct NormWeights {
  const at::Tensor& gamma; ///< (n)
  const at::Tensor& beta; ///< (n)
  double epsilon;
};

/// LayerNorm(dropout(x + bias) + residual). Differentiable once.
/// @param x (rows, n) floating, a temporary: on the CPU its memory is reused
/// @param bias (n), or undefined
/// @param residual (rows, n), or undefined
[[nodiscard]] ACCELERATE_API at::Tensor dropout_add_norm(
    at::Tensor x,
    const at::Tensor& bias,
    const at::Tensor& residual,
    const NormWeights& norm,
    const DropoutKey& key);

/// A hidden state in two precisions.
struct HiddenState {
  at::Tensor values; ///< (rows, n) as the residual path needs it
  at::Tensor low; ///< (rows, n) 16-bit for matrix products, or undefined

  /// What matrix products take.
  [[nodiscard]] const at::Tensor& input() const {
    return low.defined() ? low : values;
  }
};

/// dropout_add_norm for a branch in a 16-bit format: computed in float, the
/// result in float and rounded. Differentiable once.
/// @param x (rows, n) bfloat16 or half on the CPU, a temporary whose memory is
///   reused
/// @param bias (n) float32
/// @param residual (rows, n) float32
[[nodiscard]] ACCELERATE_API HiddenState low_dropout_add_norm(
    const at::Tensor& x,
    const at::Tensor& bias,
    const at::Tensor& residual,
    const NormWeights& norm,
    const DropoutKey& key);

} // namespace accelerate::models
