// accelerate/models/kernels/low_format_impl.h: 16-bit floats in memory, float
// in registers.
//
// Written with integers, so that every instruction set rounds alike; half has
// instructions of its own in AVX-512, which round the same way.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "accelerate/models/kernels/simd_impl.h"
#include "accelerate/models/kernels/vector_impl.h"

namespace accelerate::models::ACCELERATE_ISA {
namespace {

typedef std::uint32_t BitVec __attribute__((vector_size(kLanes * 4)));
typedef LowBits LowVec __attribute__((vector_size(kLanes * 2)));
typedef LowBits LooseLowVec
    __attribute__((vector_size(kLanes * 2), aligned(2), may_alias));

inline BitVec bits_of(Vec value) {
  return reinterpret_cast<BitVec>(value);
}

inline Vec value_of(BitVec bits) {
  return reinterpret_cast<Vec>(bits);
}

/// The upper half of a float.
struct Bfloat16Format {
  static Vec widen(BitVec bits) {
    return value_of(bits << 16);
  }

  static BitVec narrow(Vec value) {
    const BitVec bits = bits_of(value);
    const BitVec odd = (bits >> 16) & 1;
    const BitVec rounded = (bits + 0x7FFF + odd) >> 16;
    // Rounding could carry a not-a-number over to infinity.
    return (bits & 0x7FFFFFFF) > 0x7F800000 ? (bits >> 16) | 0x40 : rounded;
  }
};

/// IEEE 754 binary16: 5 bits of exponent, 10 of fraction.
struct HalfFormat {
#if defined(__AVX512F__)
  // With a mask of all lanes: what the compiler's own unmasked forms leave
  // undefined for a moment makes it warn.
  static constexpr __mmask16 kAllLanes = 0xffff;

  static Vec widen(BitVec bits) {
    const auto low = __builtin_convertvector(bits, LowVec);
    return reinterpret_cast<Vec>(
        _mm512_maskz_cvtph_ps(kAllLanes, reinterpret_cast<__m256i>(low)));
  }

  static BitVec narrow(Vec value) {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    const auto low = reinterpret_cast<LowVec>(_mm512_maskz_cvtps_ph(
        kAllLanes, reinterpret_cast<__m512>(value), kNearest));
    return __builtin_convertvector(low, BitVec);
  }
#else
  static Vec widen(BitVec bits) {
    const BitVec magnitude = bits & 0x7FFF;
    // 2^112 moves the exponent; the product is exact for subnormal numbers too.
    const Vec finite = value_of(magnitude << 13) * 0x1p112f;
    const BitVec special = (magnitude << 13) | 0x7F800000;
    const BitVec result = magnitude < 0x7C00 ? bits_of(finite) : special;
    return value_of(result | (bits & 0x8000) << 16);
  }

  static BitVec narrow(Vec value) {
    const BitVec bits = bits_of(value);
    const BitVec magnitude = bits & 0x7FFFFFFF;
    const BitVec odd = (magnitude >> 13) & 1;
    const BitVec normal = (magnitude - (112u << 23) + 0xFFF + odd) >> 13;
    // Beside 0.5 the steps of a float are those of subnormal halves.
    const BitVec subnormal = bits_of(value_of(magnitude) + 0.5f) - 0x3F000000;
    BitVec result = magnitude < (113u << 23) ? subnormal : normal;
    result = magnitude >= (143u << 23) ? BitVec{} + 0x7C00 : result;
    result = magnitude > 0x7F800000 ? BitVec{} + 0x7E00 : result;
    return result | (bits >> 16 & 0x8000);
  }
#endif
};

/// Loads and stores of one format, of whole vectors or (count) of a part.
template <typename Format>
inline Vec load_low(const LowBits* from) {
  const LowVec low = *reinterpret_cast<const LooseLowVec*>(from);
  return Format::widen(__builtin_convertvector(low, BitVec));
}

template <typename Format>
inline void store_low(LowBits* to, Vec value) {
  *reinterpret_cast<LooseLowVec*>(to) =
      __builtin_convertvector(Format::narrow(value), LowVec);
}

template <typename Format>
struct WholeVectors {
  Vec get(const float* from) const {
    return load(from);
  }
  Vec get(const LowBits* from) const {
    return load_low<Format>(from);
  }
  void put(float* to, Vec value) const {
    store(to, value);
  }
  void put(LowBits* to, Vec value) const {
    store_low<Format>(to, value);
  }
};

template <typename Format>
struct PartVectors {
  std::int64_t count;

  Vec get(const float* from) const {
    return load_part(from, count);
  }
  Vec get(const LowBits* from) const {
    BitVec bits{};
    for (std::int64_t lane = 0; lane < count; ++lane) {
      bits[lane] = from[lane];
    }
    return Format::widen(bits);
  }
  void put(float* to, Vec value) const {
    store_part(to, value, count);
  }
  void put(LowBits* to, Vec value) const {
    const BitVec bits = Format::narrow(value);
    for (std::int64_t lane = 0; lane < count; ++lane) {
      to[lane] = static_cast<LowBits>(bits[lane]);
    }
  }
};

/// As for_each_vector, for lines in float and in the format: body(index,
/// lines) with lines.get and lines.put for either.
template <typename Format, typename Body>
inline void for_each_low_vector(std::int64_t n, const Body& body) {
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    body(i, WholeVectors<Format>{});
  }
  if (i < n) {
    body(i, PartVectors<Format>{n - i});
  }
}

template <typename Format>
inline void widen(const LowBits* from, std::int64_t n, float* to) {
  for_each_low_vector<Format>(n, [&](std::int64_t i, const auto& lines) {
    lines.put(to + i, lines.get(from + i));
  });
}

template <typename Format>
inline void narrow(const float* from, std::int64_t n, LowBits* to) {
  for_each_low_vector<Format>(n, [&](std::int64_t i, const auto& lines) {
    lines.put(to + i, lines.get(from + i));
  });
}

template <typename Format>
inline void column_sums(
    const LowBits* x,
    std::int64_t n,
    std::int64_t begin,
    std::int64_t end,
    float* sums) {
  for (std::int64_t row = begin; row < end; ++row) {
    for_each_low_vector<Format>(n, [&](std::int64_t i, const auto& lines) {
      lines.put(sums + i, lines.get(sums + i) + lines.get(x + row * n + i));
    });
  }
}

} // namespace
} // namespace accelerate::models::ACCELERATE_ISA
