// accelerate/precision/autocast.h: forwards in low precision.
#pragma once

#include <optional>

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceType.h>
#include <c10/core/ScalarType.h>

#include "accelerate/api.h"
#include "accelerate/nested/visit_tensors.h"
#include "accelerate/precision/precision.h"

namespace accelerate {

/// Source: accelerate AutocastKwargs
struct AutocastOptions {
  /// false: operations compute in the dtype of their inputs.
  bool enabled = true;
  /// Whether a weight is cast once for all uses inside of the outermost guard.
  /// Unset: as it is outside, which is on at first.
  std::optional<bool> cache_enabled = std::nullopt;
};

/// What an AutocastGuard sets.
struct Autocast {
  c10::DeviceType device_type = c10::kCPU;
  at::ScalarType dtype = at::kBFloat16;
  AutocastOptions options = {};
};

/// The autocast of a precision; nothing for Precision::kNo.
[[nodiscard]] ACCELERATE_API std::optional<Autocast> autocast_of(
    Precision precision,
    c10::DeviceType device_type,
    const AutocastOptions& options = {});

/// While it lives, libtorch's autocast on this thread is as given, for one type
/// of device; other types are left alone. Guards nest, also with Python's
/// torch.autocast, whose state this is. At its end enabled, dtype and cache are
/// as before, and the end of the outermost one drops the weights that were
/// cast. Destroyed on the thread that made it, the last one first.
/// Source: torch.autocast
class ACCELERATE_API AutocastGuard {
 public:
  explicit AutocastGuard(const Autocast& autocast);
  /// Changes nothing when there is no autocast.
  explicit AutocastGuard(const std::optional<Autocast>& autocast);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  void enter(const Autocast& autocast);

  struct Outside {
    c10::DeviceType device_type;
    at::ScalarType dtype;
    bool enabled;
    bool cache_enabled;
  };
  std::optional<Outside> outside_;
};

/// A half or bfloat16 tensor as float32; any other as it is. Keeps the graph.
[[nodiscard]] ACCELERATE_API at::Tensor to_full_precision(
    const at::Tensor& tensor);

/// The same for each tensor of a nested value.
/// Source: accelerate convert_to_fp32
template <TensorVisitable T>
[[nodiscard]] T outputs_in_full_precision(const T& value) {
  return map_tensors(value, to_full_precision);
}

} // namespace accelerate
