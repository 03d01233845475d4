// accelerate/models/kernels/low_precision.cpp
#include "accelerate/models/kernels/low_precision.h"

#include <ATen/autocast_mode.h>

namespace accelerate::models {
namespace {

bool is_low(at::ScalarType dtype) {
  return dtype == at::kBFloat16 || dtype == at::kHalf;
}

} // namespace

LowPrecisionScope::LowPrecisionScope(const at::Tensor& weight) {
  if (!weight.is_cpu() || weight.scalar_type() != at::kFloat ||
      !at::autocast::is_autocast_enabled(at::kCPU)) {
    return;
  }
  const at::ScalarType dtype = at::autocast::get_autocast_dtype(at::kCPU);
  if (is_low(dtype)) {
    dtype_ = dtype;
    at::autocast::set_autocast_enabled(at::kCPU, false);
  }
}

LowPrecisionScope::~LowPrecisionScope() {
  if (dtype_) {
    at::autocast::set_autocast_enabled(at::kCPU, true);
  }
}

bool has_low_kernels(const at::Tensor& tensor) {
  return tensor.is_cpu() && is_low(tensor.scalar_type()) &&
      !at::autocast::is_autocast_enabled(at::kCPU);
}

} // namespace accelerate::models
