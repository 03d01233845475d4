// accelerate/models/kernels/philox_impl.h: counter-based random numbers for
// dropout.
//
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
// as 1, 2, 3", SC11, doi:10.1145/2063384.2063405). The key is the seed; the
// counter is (block of the row, row, site, 0). Sixteen counters run at a time
// on every instruction set, so the masks are the same on all.
#pragma once

#include "accelerate/models/kernels/simd_impl.h"
#include "accelerate/models/kernels/vector_impl.h"

namespace accelerate::models::ACCELERATE_ISA {
namespace {

constexpr int kCounters = 16;

/// Ten rounds on sixteen counters; c[w][i] is word w of counter i.
inline void philox(std::uint64_t seed, std::uint32_t (&c)[4][kCounters]) {
  auto key0 = static_cast<std::uint32_t>(seed);
  auto key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kCounters; ++i) {
      const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0][i];
      const std::uint64_t b = std::uint64_t{0xCD9E8D57} * c[2][i];
      const std::uint32_t first =
          static_cast<std::uint32_t>(b >> 32) ^ c[1][i] ^ key0;
      const std::uint32_t third =
          static_cast<std::uint32_t>(a >> 32) ^ c[3][i] ^ key1;
      c[0][i] = first;
      c[1][i] = static_cast<std::uint32_t>(b);
      c[2][i] = third;
      c[3][i] = static_cast<std::uint32_t>(a);
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
}

inline void dropout_row(
    const DropoutArguments& dropout,
    std::int64_t row,
    std::int64_t n,
    float* keep) {
  std::uint32_t c[4][kCounters];
  for (std::int64_t block = 0; block * kDropoutBlock < n; ++block) {
    for (int i = 0; i < kCounters; ++i) {
      c[0][i] = static_cast<std::uint32_t>(block * kCounters + i);
      c[1][i] = static_cast<std::uint32_t>(row);
      c[2][i] = dropout.site;
      c[3][i] = 0;
    }
    philox(dropout.seed, c);
    // Each half of a word decides one element.
    float* out = keep + block * kDropoutBlock;
    for (int word = 0; word < 4; ++word) {
      for (int i = 0; i < kCounters; ++i) {
        const std::uint32_t low = c[word][i] & 0xFFFF;
        const std::uint32_t high = c[word][i] >> 16;
        out[word * 16 + i] = low >= dropout.threshold ? dropout.scale : 0.0f;
        out[64 + word * 16 + i] =
            high >= dropout.threshold ? dropout.scale : 0.0f;
      }
    }
  }
}

} // namespace
} // namespace accelerate::models::ACCELERATE_ISA
