// accelerate/nested/finite.cpp
#include "accelerate/nested/finite.h"

#include <cstdint>

#include <ATen/ops/isfinite.h>

namespace accelerate {
namespace {

/// Infinity and not-a-number are the values whose exponent has every bit set.
/// Written without a branch, so that the compiler uses vectors.
template <typename Bits>
bool has_full_exponent(const void* data, std::int64_t count, Bits exponent) {
  const auto* bits = static_cast<const Bits*>(data);
  Bits found = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    found = static_cast<Bits>(
        found | static_cast<Bits>((bits[i] & exponent) == exponent));
  }
  return found != 0;
}

} // namespace

bool is_finite(const at::Tensor& values) {
  if (!values.defined() || values.numel() == 0 || !values.is_floating_point()) {
    return true;
  }
  if (!values.is_cpu() || !values.is_non_overlapping_and_dense()) {
    return at::isfinite(values).all().item<bool>();
  }
  const void* data = values.const_data_ptr();
  switch (values.scalar_type()) {
    case at::kFloat:
      return !has_full_exponent<std::uint32_t>(
          data, values.numel(), 0x7f800000u);
    case at::kDouble:
      return !has_full_exponent<std::uint64_t>(
          data, values.numel(), 0x7ff0000000000000u);
    case at::kHalf:
      return !has_full_exponent<std::uint16_t>(data, values.numel(), 0x7c00u);
    case at::kBFloat16:
      return !has_full_exponent<std::uint16_t>(data, values.numel(), 0x7f80u);
    default:
      return at::isfinite(values).all().item<bool>();
  }
}

} // namespace accelerate
