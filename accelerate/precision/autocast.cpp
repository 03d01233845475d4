// accelerate/precision/autocast.cpp
#include "accelerate/precision/autocast.h"

#include <ATen/autocast_mode.h>

namespace accelerate {

namespace libtorch = at::autocast;

std::optional<Autocast> autocast_of(
    Precision precision,
    c10::DeviceType device_type,
    const AutocastOptions& options) {
  const auto dtype = compute_dtype(precision);
  if (!dtype) {
    return std::nullopt;
  }
  return Autocast{
      .device_type = device_type, .dtype = *dtype, .options = options};
}

AutocastGuard::AutocastGuard(const Autocast& autocast) {
  enter(autocast);
}

AutocastGuard::AutocastGuard(const std::optional<Autocast>& autocast) {
  if (autocast) {
    enter(*autocast);
  }
}

void AutocastGuard::enter(const Autocast& autocast) {
  const c10::DeviceType type = autocast.device_type;
  outside_ = Outside{
      .device_type = type,
      .dtype = libtorch::get_autocast_dtype(type),
      .enabled = libtorch::is_autocast_enabled(type),
      .cache_enabled = libtorch::is_autocast_cache_enabled()};
  libtorch::increment_nesting();
  libtorch::set_autocast_enabled(type, autocast.options.enabled);
  libtorch::set_autocast_dtype(type, autocast.dtype);
  libtorch::set_autocast_cache_enabled(
      autocast.options.cache_enabled.value_or(outside_->cache_enabled));
}

AutocastGuard::~AutocastGuard() {
  if (!outside_) {
    return;
  }
  if (libtorch::decrement_nesting() == 0) {
    libtorch::clear_cache();
  }
  libtorch::set_autocast_enabled(outside_->device_type, outside_->enabled);
  libtorch::set_autocast_dtype(outside_->device_type, outside_->dtype);
  libtorch::set_autocast_cache_enabled(outside_->cache_enabled);
}

at::Tensor to_full_precision(const at::Tensor& tensor) {
  const at::ScalarType dtype = tensor.scalar_type();
  return dtype == at::kHalf || dtype == at::kBFloat16 ? tensor.to(at::kFloat)
                                                      : tensor;
}

} // namespace accelerate
