// accelerate/models/kernels/low_linear.h: a linear layer on 16-bit activations
// with float weights.
#pragma once

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/models/kernels/low_product.h"
#include "accelerate/models/kernels/low_weights.h"

namespace accelerate::models {

/// x · [weights]ᵀ + bias with the weights rounded to the format of x.
/// Gradients of weights and bias come in float32, that of x in its format.
/// Differentiable once.
/// @param x (rows, in) bfloat16 or half on the CPU
/// @param weights one to three, (out_i, in) float32, below each other
/// @param low_weights keeps the rounded weights
/// @param bias (Σ out_i) float32, or undefined
/// @return (rows, Σ out_i), dtype of x
[[nodiscard]] ACCELERATE_API at::Tensor low_linear(
    const at::Tensor& x,
    at::ArrayRef<at::Tensor> weights,
    LowWeights& low_weights,
    const at::Tensor& bias);

} // namespace accelerate::models
