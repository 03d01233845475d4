// tests/unit/data/sampler_test.cpp
#include "accelerate/data/sampler.h"

#include <algorithm>

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate {
namespace {

std::vector<std::int64_t> indices(const SampleOrder& order) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < order.size(); ++i) {
    result.push_back(order[i]);
  }
  return result;
}

TEST(Sampler, RefusesANegativeSize) {
  EXPECT_THROW(SequentialSampler(-1), ConfigError);
  EXPECT_THROW(RandomSampler(-1, 0), ConfigError);
}

TEST(Sampler, SequentialVisitsInOrderInEveryEpoch) {
  const SequentialSampler sampler(3);
  EXPECT_EQ(sampler.size(), 3);
  EXPECT_THAT(indices(sampler.order(0)), testing::ElementsAre(0, 1, 2));
  EXPECT_THAT(indices(sampler.order(5)), testing::ElementsAre(0, 1, 2));
}

TEST(Sampler, RandomChangesWithTheEpochAndRepeatsIt) {
  const RandomSampler sampler(50, 11);
  EXPECT_EQ(sampler.size(), 50);
  auto first = indices(sampler.order(0));
  EXPECT_EQ(first, indices(RandomSampler(50, 11).order(0)));
  EXPECT_NE(first, indices(sampler.order(1)));
  EXPECT_NE(first, indices(RandomSampler(50, 12).order(0)));
  std::sort(first.begin(), first.end());
  EXPECT_EQ(first, indices(SequentialSampler(50).order(0)));
}

TEST(SampleOrder, TakesIndicesAsTheyAre) {
  const SampleOrder order(std::vector<std::int64_t>{4, 4, 1});
  EXPECT_THAT(indices(order), testing::ElementsAre(4, 4, 1));
}

} // namespace
} // namespace accelerate
