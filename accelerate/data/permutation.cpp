// accelerate/data/permutation.cpp: Fisher–Yates for few items, a Feistel
// network for many.
#include "accelerate/data/permutation.h"

#include <bit>
#include <numeric>
#include <utility>

#include "accelerate/error.h"

namespace accelerate {
namespace {

// The largest size whose items fit 16 bits: a table of 128 KiB, which stays in
// the second-level cache.
constexpr std::int64_t kMaxTable = 1 << 16;

std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

/// SplitMix64: advances `state` and returns 64 random bits.
std::uint64_t next_bits(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15ULL;
  return mix(state);
}

/// A number in [0, bound) without bias, for a bound of at most 2^32.
/// Source: Lemire, Fast Random Integer Generation in an Interval (2019),
/// doi:10.1145/3230636.
std::uint64_t next_below(std::uint64_t& state, std::uint64_t bound) {
  const std::uint64_t biased_below = (1ULL << 32) % bound;
  std::uint64_t product = (next_bits(state) >> 32) * bound;
  while ((product & 0xffffffffULL) < biased_below) {
    product = (next_bits(state) >> 32) * bound;
  }
  return product >> 32;
}

} // namespace

Permutation::Permutation(std::int64_t size, ShuffleKey key) : size_(size) {
  ACCELERATE_CHECK(
      size >= 0,
      ConfigError,
      "data.permutation",
      "size is ",
      size,
      ", expected at least 0");
  // Seed and epoch pass through the mixer one after the other, so that
  // (seed, epoch + 1) and (seed + 1, epoch) have nothing in common.
  std::uint64_t state = key.seed;
  state = next_bits(state) ^ static_cast<std::uint64_t>(key.epoch);
  state = next_bits(state);
  if (size <= kMaxTable) {
    fill_table(state);
    return;
  }
  for (std::uint64_t& round_key : round_keys_) {
    round_key = next_bits(state);
  }
  const auto bits =
      static_cast<int>(std::bit_width(static_cast<std::uint64_t>(size - 1)));
  left_bits_ = bits / 2;
  right_bits_ = bits - left_bits_;
}

void Permutation::fill_table(std::uint64_t state) {
  table_.resize(static_cast<std::size_t>(size_));
  std::iota(table_.begin(), table_.end(), std::uint16_t{0});
  for (std::size_t last = table_.size(); last > 1; --last) {
    const auto other = static_cast<std::size_t>(next_below(state, last));
    std::swap(table_[last - 1], table_[other]);
  }
}

std::int64_t Permutation::walk(std::int64_t position) const {
  auto value = static_cast<std::uint64_t>(position);
  // The domain is less than twice the size: two rounds of the loop on average
  // at most.
  do {
    value = encrypt(value);
  } while (value >= static_cast<std::uint64_t>(size_));
  return static_cast<std::int64_t>(value);
}

std::uint64_t Permutation::encrypt(std::uint64_t value) const {
  // The halves may differ by one bit; they swap their widths every round.
  int left_bits = left_bits_;
  int right_bits = right_bits_;
  std::uint64_t left = value >> right_bits;
  std::uint64_t right = value & ((1ULL << right_bits) - 1);
  for (const std::uint64_t round_key : round_keys_) {
    const std::uint64_t mask = (1ULL << left_bits) - 1;
    const std::uint64_t mixed = (left ^ mix(right ^ round_key)) & mask;
    left = right;
    right = mixed;
    std::swap(left_bits, right_bits);
  }
  return (left << right_bits) | right;
}

} // namespace accelerate
