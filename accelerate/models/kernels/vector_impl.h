// accelerate/models/kernels/vector_impl.h: a vector of floats as wide as the
// instruction set, compiled once per set.
//
// Everything here and in the other loops has internal linkage and calls no
// inline function of the standard library: a shared inline function compiled
// with AVX-512 could be the copy that the linker keeps for every processor.
#pragma once

#include <cstdint>

namespace accelerate::models::ACCELERATE_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef std::int32_t IntVec __attribute__((vector_size(kLanes * 4)));
typedef float LooseVec
    __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

inline Vec load(const float* from) {
  return *reinterpret_cast<const LooseVec*>(from);
}

inline void store(float* to, Vec value) {
  *reinterpret_cast<LooseVec*>(to) = value;
}

inline Vec splat(float value) {
  return value - Vec{};
}

/// The first `count` lanes, the others 0.
inline Vec load_part(const float* from, std::int64_t count) {
  Vec value{};
  for (std::int64_t lane = 0; lane < count; ++lane) {
    value[lane] = from[lane];
  }
  return value;
}

inline void store_part(float* to, Vec value, std::int64_t count) {
  for (std::int64_t lane = 0; lane < count; ++lane) {
    to[lane] = value[lane];
  }
}

inline float sum_lanes(Vec value) {
  float sum = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    sum += value[lane];
  }
  return sum;
}

/// Calls body(index, count) for every vector of [0, n): count is kLanes, and
/// less for the last one when n is no multiple.
template <typename Body>
inline void for_each_vector(std::int64_t n, const Body& body) {
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    body(
        i,
        [](const float* p) { return load(p); },
        [](float* p, Vec v) { store(p, v); });
  }
  if (i < n) {
    const std::int64_t count = n - i;
    body(
        i,
        [count](const float* p) { return load_part(p, count); },
        [count](float* p, Vec v) { store_part(p, v, count); });
  }
}

/// e^x to 2 ulp for x in [-87, 88]; smaller x give about 1e-38.
/// Method: 2^n · e^r with |r| ≤ ln(2)/2, e^r by its Taylor polynomial of
/// degree 7 (remainder 5e-9 of e^r).
inline Vec exp(Vec x) {
  const Vec lowest = splat(-87.0f);
  const Vec highest = splat(88.0f);
  x = x < lowest ? lowest : x;
  x = x > highest ? highest : x;
  // Adding 1.5 · 2^23 rounds to an integer, which then stands in the low bits.
  const Vec magic = splat(12582912.0f);
  const Vec shifted = x * 1.44269504f + magic;
  const Vec n = shifted - magic;
  const Vec r = (x - n * 0.693145752f) - n * 1.42860677e-6f;
  Vec p = splat(1.0f / 5040);
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const IntVec exponent = reinterpret_cast<IntVec>(shifted) << 23;
  return reinterpret_cast<Vec>(reinterpret_cast<IntVec>(p) + exponent);
}

} // namespace
} // namespace accelerate::models::ACCELERATE_ISA
