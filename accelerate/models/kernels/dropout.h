// accelerate/models/kernels/dropout.h: dropout without a stored mask.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/models/kernels/dropout_stream.h"

namespace accelerate::models {

/// Whether the float kernels of this folder take `tensor`: float32 on the CPU,
/// outside autocast. Everything else goes through composed ATen functions.
[[nodiscard]] bool has_own_kernels(const at::Tensor& tensor);

/// The mask of `key` as numbers to multiply with: 0, or 1 / (1 - p). The
/// probability is rounded to a multiple of 2^-16.
/// @return (rows, n) float32 on the CPU; row r is what the kernels use for
///   their row r
[[nodiscard]] ACCELERATE_API at::Tensor
dropout_multipliers(const DropoutKey& key, std::int64_t rows, std::int64_t n);

/// Dropout of a matrix (rows, n). Differentiable. On other devices than the
/// CPU the mask comes from the device's own generator.
[[nodiscard]] ACCELERATE_API at::Tensor dropout(
    const at::Tensor& x,
    const DropoutKey& key);

} // namespace accelerate::models
