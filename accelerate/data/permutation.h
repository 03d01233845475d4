// accelerate/data/permutation.h: a shuffle that is a pure function of
// (size, seed, epoch), the same on every platform.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "accelerate/api.h"

namespace accelerate {

/// What an order depends on, besides the number of items.
struct ShuffleKey {
  std::uint64_t seed = 0;
  std::int64_t epoch = 0;
};

/// A random order of 0 … size - 1 in which every position can be asked for
/// directly, so that a loader can start anywhere.
/// Up to 2^16 items the order is drawn by Fisher–Yates and kept in a table.
/// Beyond, it takes no memory: a Feistel network over the next power of two,
/// walked until the result is below `size`.
/// Thread-safety: any number of readers.
/// Source: Black and Rogaway, Ciphers with Arbitrary Finite Domains (2002),
/// doi:10.1007/3-540-45760-7_9 (cycle walking); SplitMix64 (Steele, Lea, Flood
/// 2014, doi:10.1145/2660193.2660195) as the source of bits.
class ACCELERATE_API Permutation {
 public:
  /// @param size at least 0. @throws ConfigError otherwise.
  Permutation(std::int64_t size, ShuffleKey key);

  [[nodiscard]] std::int64_t size() const {
    return size_;
  }
  /// The item at `position`. @param position in [0, size()), not checked.
  [[nodiscard]] std::int64_t operator[](std::int64_t position) const {
    return table_.empty()
        ? walk(position)
        : static_cast<std::int64_t>(table_[static_cast<std::size_t>(position)]);
  }

 private:
  // Eight rounds: four make the permutation pseudo-random when the round
  // function is; the others pay for halves of as few as eight bits.
  static constexpr int kRounds = 8;

  void fill_table(std::uint64_t state);
  [[nodiscard]] std::int64_t walk(std::int64_t position) const;
  [[nodiscard]] std::uint64_t encrypt(std::uint64_t value) const;

  std::int64_t size_;
  std::vector<std::uint16_t> table_; // empty for large sizes
  std::array<std::uint64_t, kRounds> round_keys_{};
  int left_bits_ = 0;
  int right_bits_ = 0;
};

} // namespace accelerate
