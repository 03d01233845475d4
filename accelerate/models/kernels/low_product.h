// accelerate/models/kernels/low_product.h: matrix products of 16-bit floats.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"

namespace accelerate::models {

/// How a product is computed. Both add up in float32 and round the result.
enum class ProductPath {
  /// libtorch's product of 16-bit matrices, oneDNN's.
  kNative,
  /// As float32, a block of rows at a time: exact copies of the operands, the
  /// product for floats, rounding. Without instructions for the format the
  /// native way is several times slower than this.
  kThroughFloat
};

/// The faster one on this processor.
/// @param dtype kBFloat16 or kHalf
[[nodiscard]] ACCELERATE_API ProductPath product_path(at::ScalarType dtype);

/// x · weightᵀ + bias
/// @param x (rows, in) 16-bit, contiguous, on the CPU
/// @param weight (out, in), dtype of x, contiguous
/// @param bias (out) float32, or undefined
/// @return (rows, out), dtype of x
[[nodiscard]] ACCELERATE_API at::Tensor low_product(
    const at::Tensor& x,
    const at::Tensor& weight,
    const at::Tensor& bias,
    ProductPath path);

/// What backward of low_product() is to compute.
struct LowProductNeeds {
  bool dx = true;
  /// The blocks of rows that the weight is made of, from its first row on.
  struct Block {
    std::int64_t rows;
    bool needed;
  };
  std::vector<Block> blocks;
};

struct LowProductGradients {
  at::Tensor dx; ///< (rows, in), dtype of x; undefined when not needed
  /// float32, (rows, in) for each block; undefined when not needed
  std::vector<at::Tensor> dweights;
};

/// dx = dy · weight, and dyᵀ · x for each block.
/// @param dy (rows, out), dtype of x, contiguous
[[nodiscard]] ACCELERATE_API LowProductGradients low_product_backward(
    const at::Tensor& dy,
    const at::Tensor& x,
    const at::Tensor& weight,
    const LowProductNeeds& needs,
    ProductPath path);

} // namespace accelerate::models
