// accelerate/models/kernels/low_kernels_impl.h: tensors in a 16-bit format as
// the loops take them.
#pragma once

#include <ATen/core/Tensor.h>

#include "accelerate/models/kernels/simd_impl.h"

namespace accelerate::models {

/// @param dtype kBFloat16 or kHalf
inline const LowKernels& low_kernels(at::ScalarType dtype) {
  return dtype == at::kHalf ? simd_kernels().half : simd_kernels().bfloat16;
}

inline const LowBits* low_bits(const at::Tensor& tensor) {
  return static_cast<const LowBits*>(tensor.const_data_ptr());
}

inline LowBits* mutable_low_bits(const at::Tensor& tensor) {
  return static_cast<LowBits*>(tensor.mutable_data_ptr());
}

} // namespace accelerate::models
