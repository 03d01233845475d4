// tests/unit/state/seed_test.cpp
#include "accelerate/state/seed.h"

#include "accelerate/error.h"
#include "accelerate/log.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/rand.h>

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace accelerate {
namespace {

TEST(Seed, SameSeedGivesTheSameNumbers) {
  set_seed(7);
  const at::Tensor first = at::rand({4});
  set_seed(7);
  EXPECT_TRUE(at::equal(first, at::rand({4})));
  set_seed(8);
  EXPECT_FALSE(at::equal(first, at::rand({4})));
}

TEST(Seed, PerRankAddsTheRank) {
  set_log_identity({.global_rank = 3, .world_size = 4});
  EXPECT_EQ(set_seed(7, SeedScope::kPerRank), 10u);
  EXPECT_EQ(set_seed(7), 7u);
  set_log_identity({});
}

TEST(Seed, DerivedSeedsDependOnEveryPart) {
  std::set<std::uint64_t> seeds;
  for (std::uint64_t seed : {0, 1, 42}) {
    for (std::uint64_t epoch : {0, 1, 2}) {
      for (std::uint64_t rank : {0, 1}) {
        for (std::uint64_t purpose : {0, 1}) {
          seeds.insert(derive_seed({seed, epoch, rank, purpose}));
        }
      }
    }
  }
  EXPECT_EQ(seeds.size(), 36u);
  EXPECT_EQ(derive_seed({1, 2, 3, 4}), derive_seed({1, 2, 3, 4}));
}

TEST(Seed, StreamIsSplitMix64FromItsKey) {
  // With a state of zero SplitMix64 starts with these numbers (published test
  // vector); at(i) adds the key to the state.
  const RandomStream stream({});
  const std::uint64_t key = derive_seed({});
  const auto mix = [](std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  };
  EXPECT_EQ(mix(0x9e3779b97f4a7c15u), 0xe220a8397b1dcdafu);
  EXPECT_EQ(stream.at(0), mix(key + 0x9e3779b97f4a7c15u));
  EXPECT_NE(stream.at(0), stream.at(1));
}

TEST(Seed, BelowIsUniformAndInRange) {
  RandomStream stream({.seed = 5});
  EXPECT_EQ(stream.below(1), 0u);
  std::vector<int> counts(7, 0);
  for (int i = 0; i < 70000; ++i) {
    const std::uint64_t value = stream.below(7);
    ASSERT_LT(value, 7u);
    ++counts[value];
  }
  // 10,000 expected each; 5 standard deviations are 463.
  for (const int count : counts) {
    EXPECT_NEAR(count, 10000, 463);
  }
}

TEST(Seed, RestoringTheStateRepeatsTheNumbers) {
  const RngState state = capture_rng_state();
  const at::Tensor first = at::rand({3});
  const at::Tensor second = at::rand({3});
  restore_rng_state(state);
  EXPECT_TRUE(at::equal(first, at::rand({3})));
  EXPECT_TRUE(at::equal(second, at::rand({3})));
}

TEST(Seed, RefusesTheStateOfADeviceThatIsNotThere) {
  RngState state = capture_rng_state();
  state["cuda:97"] = state["cpu"];
  EXPECT_THROW(restore_rng_state(state), ConfigError);
}

} // namespace
} // namespace accelerate
