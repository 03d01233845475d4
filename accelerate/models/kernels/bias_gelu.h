// accelerate/models/kernels/bias_gelu.h: gelu(x + bias) in one pass.
#pragma once

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"

namespace accelerate::models {

/// gelu(x + bias), exact (error function). Differentiable once.
/// @param x (rows, n) floating
/// @param bias (n), dtype of x; float32 beside a 16-bit x on the CPU, which is
///   computed in float and rounded once
/// @return (rows, n), dtype of x; float32 on the CPU within 2e-7 · |x + bias|
[[nodiscard]] ACCELERATE_API at::Tensor bias_gelu(
    const at::Tensor& x,
    const at::Tensor& bias);

} // namespace accelerate::models
