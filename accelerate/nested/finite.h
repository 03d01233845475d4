// accelerate/nested/finite.h: whether a tensor holds infinity or not-a-number.
#pragma once

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"

namespace accelerate {

/// One pass over the bits on a CPU, which stops at nothing: a healthy gradient
/// is the rule. True for integers, undefined and empty tensors.
/// @param values strided, any dtype; waits for its device when that is no CPU
[[nodiscard]] ACCELERATE_API bool is_finite(const at::Tensor& values);

} // namespace accelerate
