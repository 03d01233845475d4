// tests/unit/data/permutation_test.cpp
#include "accelerate/data/permutation.h"

#include <cmath>
#include <vector>

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate {
namespace {

std::vector<std::int64_t> order(std::int64_t size, ShuffleKey key) {
  const Permutation permutation(size, key);
  std::vector<std::int64_t> items;
  for (std::int64_t i = 0; i < size; ++i) {
    items.push_back(permutation[i]);
  }
  return items;
}

TEST(Permutation, RefusesANegativeSize) {
  EXPECT_THAT(
      message_of<ConfigError>([] { Permutation(-1, {}); }),
      testing::HasSubstr("size is -1"));
}

TEST(Permutation, VisitsEveryItemOnce) {
  for (const std::int64_t size :
       {0, 1, 2, 7, 1000, 65536, 65537, 131072, 1000000}) {
    std::vector<int> visits(static_cast<std::size_t>(size));
    for (const std::int64_t item : order(size, {.seed = 5, .epoch = 2})) {
      ASSERT_GE(item, 0);
      ASSERT_LT(item, size);
      ++visits[static_cast<std::size_t>(item)];
    }
    for (const int count : visits) {
      ASSERT_EQ(count, 1) << size;
    }
  }
}

TEST(Permutation, DependsOnSeedAndEpochAlone) {
  for (const std::int64_t size : {1000, 100000}) {
    const auto first = order(size, {.seed = 1, .epoch = 0});
    EXPECT_EQ(first, order(size, {.seed = 1, .epoch = 0}));
    EXPECT_NE(first, order(size, {.seed = 1, .epoch = 1}));
    EXPECT_NE(first, order(size, {.seed = 2, .epoch = 0}));
    EXPECT_NE(
        order(size, {.seed = 1, .epoch = 1}),
        order(size, {.seed = 2, .epoch = 0}));
  }
}

// The order is part of the format of a checkpoint (seed, epoch, position):
// these values come from an independent implementation of the same
// definition, tools/golden/permutation.py.
TEST(Permutation, IsTheSameOnEveryPlatform) {
  EXPECT_THAT(
      order(10, {.seed = 42, .epoch = 3}),
      testing::ElementsAreArray(
          std::vector<std::int64_t>{6, 2, 0, 7, 8, 3, 9, 5, 4, 1}));
  const Permutation large(1000000, {.seed = 42, .epoch = 3});
  const std::vector<std::int64_t> expected{
      82721, 4528, 861940, 241267, 185222, 32704, 449622, 659973};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(large[static_cast<std::int64_t>(i)], expected[i]);
  }
}

// Where the first item of the order lands, over many seeds: chi-square over 64
// bins with 63 degrees of freedom stays below 110 (p = 2e-4).
TEST(Permutation, PutsItemsAnywhereWithTheSameProbability) {
  for (const std::int64_t size : {std::int64_t{64}, std::int64_t{1} << 17}) {
    for (const std::int64_t position : {std::int64_t{0}, size / 2, size - 1}) {
      constexpr int kSeeds = 6400;
      std::vector<int> bins(64);
      for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        const Permutation permutation(size, {.seed = seed});
        ++bins[static_cast<std::size_t>(permutation[position] * 64 / size)];
      }
      double chi_square = 0;
      for (const int count : bins) {
        const double excess = count - kSeeds / 64.0;
        chi_square += excess * excess / (kSeeds / 64.0);
      }
      EXPECT_LT(chi_square, 110) << size << ' ' << position;
    }
  }
}

// Neighbours in the order are unrelated: the correlation of successive items
// of a random order of n items is within 5 / sqrt(n) of 0.
TEST(Permutation, LeavesNoTraceOfTheOriginalOrder) {
  for (const std::int64_t size : {1000, 65537, 300000}) {
    const auto items = order(size, {.seed = 9});
    const double mean = static_cast<double>(size - 1) / 2;
    const auto count = static_cast<double>(size);
    const double variance = count * count / 12;
    double lag = 0;
    double identity = 0;
    for (std::size_t i = 0; i + 1 < items.size(); ++i) {
      const double here = static_cast<double>(items[i]) - mean;
      lag += here * (static_cast<double>(items[i + 1]) - mean);
      identity += here * (static_cast<double>(i) - mean);
    }
    const double limit = 5 / std::sqrt(count);
    EXPECT_LT(std::abs(lag / (variance * count)), limit) << size;
    EXPECT_LT(std::abs(identity / (variance * count)), limit) << size;
  }
}

} // namespace
} // namespace accelerate
