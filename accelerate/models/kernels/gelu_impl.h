// accelerate/models/kernels/gelu_impl.h: bias and GELU in one pass.
//
// gelu(x) = x · Φ(x). Φ comes from the complementary error function by formula
// 7.1.26 of Abramowitz and Stegun (absolute error 1.5e-7), which shares its
// exponential with the density that the derivative Φ(x) + x · φ(x) needs.
#pragma once

#include "accelerate/models/kernels/simd_impl.h"
#include "accelerate/models/kernels/vector_impl.h"

namespace accelerate::models::ACCELERATE_ISA {
namespace {

struct NormalDistribution {
  Vec cumulative; ///< Φ(x)
  Vec density; ///< φ(x)
};

inline NormalDistribution normal_distribution(Vec x) {
  const Vec magnitude = x < 0.0f ? -x : x;
  const Vec exponential = exp(x * x * -0.5f);
  const Vec t = 1.0f / (magnitude * (0.3275911f * 0.70710678f) + 1.0f);
  Vec p = splat(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const Vec tail = p * t * exponential * 0.5f;
  return {x < 0.0f ? tail : 1.0f - tail, exponential * 0.39894228f};
}

inline void gelu_forward(
    const GeluArguments& arguments,
    std::int64_t begin,
    std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const float* x = arguments.x + row * arguments.n;
    float* y = arguments.out + row * arguments.n;
    for_each_vector(arguments.n, [&](std::int64_t i, auto get, auto put) {
      const Vec value = get(x + i) + get(arguments.bias + i);
      put(y + i, value * normal_distribution(value).cumulative);
    });
  }
}

inline void gelu_backward(
    const GeluArguments& arguments,
    std::int64_t begin,
    std::int64_t end,
    float* dbias) {
  for (std::int64_t row = begin; row < end; ++row) {
    const float* x = arguments.x + row * arguments.n;
    const float* dy = arguments.dy + row * arguments.n;
    float* dx = arguments.out + row * arguments.n;
    for_each_vector(arguments.n, [&](std::int64_t i, auto get, auto put) {
      const Vec value = get(x + i) + get(arguments.bias + i);
      const NormalDistribution normal = normal_distribution(value);
      const Vec slope = normal.cumulative + value * normal.density;
      const Vec gradient = get(dy + i) * slope;
      put(dx + i, gradient);
      put(dbias + i, get(dbias + i) + gradient);
    });
  }
}

} // namespace
} // namespace accelerate::models::ACCELERATE_ISA
