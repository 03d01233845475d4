// accelerate/models/kernels/low_gelu_impl.h: bias and GELU of 16-bit floats.
#pragma once

#include "accelerate/models/kernels/gelu_impl.h"
#include "accelerate/models/kernels/low_format_impl.h"

namespace accelerate::models::ACCELERATE_ISA {
namespace {

template <typename Format>
inline void low_gelu_forward(
    const LowGeluArguments& arguments,
    std::int64_t begin,
    std::int64_t end) {
  const std::int64_t n = arguments.n;
  for (std::int64_t row = begin; row < end; ++row) {
    const LowBits* x = arguments.x + row * n;
    LowBits* y = arguments.out + row * n;
    for_each_low_vector<Format>(n, [&](std::int64_t i, const auto& lines) {
      const Vec value = lines.get(x + i) + lines.get(arguments.bias + i);
      lines.put(y + i, value * normal_distribution(value).cumulative);
    });
  }
}

template <typename Format>
inline void low_gelu_backward(
    const LowGeluArguments& arguments,
    std::int64_t begin,
    std::int64_t end,
    float* dbias) {
  const std::int64_t n = arguments.n;
  for (std::int64_t row = begin; row < end; ++row) {
    const LowBits* x = arguments.x + row * n;
    const LowBits* dy = arguments.dy + row * n;
    LowBits* dx = arguments.out + row * n;
    for_each_low_vector<Format>(n, [&](std::int64_t i, const auto& lines) {
      const Vec value = lines.get(x + i) + lines.get(arguments.bias + i);
      const NormalDistribution normal = normal_distribution(value);
      const Vec slope = normal.cumulative + value * normal.density;
      const Vec gradient = lines.get(dy + i) * slope;
      lines.put(dx + i, gradient);
      lines.put(dbias + i, lines.get(dbias + i) + gradient);
    });
  }
}

} // namespace
} // namespace accelerate::models::ACCELERATE_ISA
