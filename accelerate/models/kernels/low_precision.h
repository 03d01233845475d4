// accelerate/models/kernels/low_precision.h: when the packed models compute in
// a 16-bit format.
#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"

namespace accelerate::models {

/// Takes over from autocast for one forward of a model that has its own low
/// precision kernels: reads what autocast asks for, then keeps it off while the
/// object lives, so that no operation inside is cast a second time.
/// Per thread, like autocast itself.
class ACCELERATE_API LowPrecisionScope {
 public:
  /// @param weight any parameter of the model
  explicit LowPrecisionScope(const at::Tensor& weight);
  ~LowPrecisionScope();
  LowPrecisionScope(const LowPrecisionScope&) = delete;
  LowPrecisionScope& operator=(const LowPrecisionScope&) = delete;

  /// kBFloat16 or kHalf when autocast is on for the CPU with that dtype and the
  /// weights are float32 on the CPU; else nothing, and autocast stays as it is.
  [[nodiscard]] std::optional<at::ScalarType> dtype() const {
    return dtype_;
  }

 private:
  std::optional<at::ScalarType> dtype_;
};

/// Whether the 16-bit kernels take `tensor`: bfloat16 or half on the CPU,
/// outside autocast.
[[nodiscard]] bool has_low_kernels(const at::Tensor& tensor);

} // namespace accelerate::models
