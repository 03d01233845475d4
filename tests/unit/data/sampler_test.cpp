// tests/unit/data/sampler_test.cpp
#include "accelerate/data/sampler.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include <nlohmann/json.hpp>

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::HasSubstr;

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

TEST(Sampler, SaysWhatAStateMustKnow) {
  EXPECT_EQ(SequentialSampler(3).name(), "sequential");
  EXPECT_EQ(SequentialSampler(3).seed(), std::nullopt);
  EXPECT_EQ(RandomSampler(3, 5).name(), "random");
  EXPECT_EQ(RandomSampler(3, 5).seed(), 5U);
  EXPECT_FALSE(RandomSampler(3, 5).is_rank_aware());
}

TEST(WeightedSampler, RefusesWeightsThatMakeNoDistribution) {
  const auto make = [](WeightedSamplerOptions options) {
    return message_of<ConfigError>(
        [&] { (void)WeightedSampler(std::move(options)); });
  };
  EXPECT_THAT(make({.weights = {1, -0.5}}), HasSubstr("of sample 1 is -0.5"));
  EXPECT_THAT(make({.weights = {NAN}}), HasSubstr("of sample 0 is nan"));
  EXPECT_THAT(make({.weights = {0, 0}}), HasSubstr("2 weights add up to 0"));
  EXPECT_THAT(make({}), HasSubstr("the 0 weights"));
  const double most = std::numeric_limits<double>::max();
  EXPECT_THAT(make({.weights = {most, most}}), HasSubstr("add up to inf"));
  EXPECT_THAT(
      make({.weights = {1}, .num_samples = -1}),
      HasSubstr("num_samples is -1"));
  EXPECT_THAT(
      make({.weights = {1, 0, 2}, .replacement = false}),
      HasSubstr("cannot draw 3 samples without replacement, 2 of them"));
}

TEST(WeightedSampler, DrawsInProportionToTheWeights) {
  const WeightedSampler sampler(
      {.weights = {0, 1, 3, 0, 4, 0}, .num_samples = 80'000, .seed = 9});
  EXPECT_EQ(sampler.size(), 80'000);
  std::vector<int> counts(6);
  for (const std::int64_t sample : indices(sampler.order(2))) {
    ++counts[static_cast<std::size_t>(sample)];
  }
  EXPECT_EQ(counts[0] + counts[3] + counts[5], 0);
  // Five standard deviations of a binomial distribution are at most 710.
  EXPECT_NEAR(counts[1], 10'000, 710);
  EXPECT_NEAR(counts[2], 30'000, 710);
  EXPECT_NEAR(counts[4], 40'000, 710);
  EXPECT_EQ(indices(sampler.order(2)), indices(sampler.order(2)));
  EXPECT_NE(indices(sampler.order(2)), indices(sampler.order(3)));
}

TEST(WeightedSampler, DrawsNoSampleTwiceWithoutReplacement) {
  std::vector<int> first(3);
  constexpr int kEpochs = 20'000;
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const WeightedSampler sampler(
        {.weights = {1, 0, 2, 5},
         .num_samples = 2,
         .replacement = false,
         .seed = 1});
    const auto drawn = indices(sampler.order(epoch));
    ASSERT_EQ(drawn.size(), 2U);
    ASSERT_NE(drawn[0], drawn[1]);
    ASSERT_NE(drawn[0], 1);
    ASSERT_NE(drawn[1], 1);
    ++first[static_cast<std::size_t>(drawn[0] == 0 ? 0 : drawn[0] - 1)];
  }
  EXPECT_NEAR(first[0], kEpochs / 8, 240);
  EXPECT_NEAR(first[1], kEpochs / 4, 310);
  EXPECT_NEAR(first[2], kEpochs * 5 / 8, 345);
}

TEST(LengthGroupedSampler, SortsGroupsAsTheOriginal) {
  std::ifstream file(ACCELERATE_TEST_DATA
                     "/parity/golden/stream_sharding.json");
  const auto golden = nlohmann::json::parse(file).at("length_grouped");
  EXPECT_EQ(golden.size(), 6U);
  for (const auto& row : golden) {
    const auto grouped = group_by_length(
        row.at("order"),
        {.lengths = row.at("lengths"), .batch_size = row.at("batch_size")});
    EXPECT_EQ(grouped, row.at("grouped"));
  }
}

TEST(LengthGroupedSampler, VisitsEverySampleOnceAndTheLongestFirst) {
  std::vector<std::int64_t> lengths(100);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    lengths[i] = static_cast<std::int64_t>(i * 37 % 101);
  }
  const LengthGroupedSampler sampler(
      {.lengths = lengths, .batch_size = 4, .seed = 2, .batches_in_group = 5});
  auto order = indices(sampler.order(0));
  EXPECT_NE(order, indices(sampler.order(1)));
  EXPECT_EQ(
      lengths[static_cast<std::size_t>(order.front())],
      *std::max_element(lengths.begin(), lengths.end()));
  for (std::size_t i = 22; i < 40; ++i) { // the second group, but for its first
    EXPECT_LE(
        lengths[static_cast<std::size_t>(order[i])],
        lengths[static_cast<std::size_t>(order[i - 1])]);
  }
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, indices(SequentialSampler(100).order(0)));
  EXPECT_EQ(LengthGroupedSampler({}).order(0).size(), 0);
  EXPECT_THROW(LengthGroupedSampler({.batch_size = 0}), ConfigError);
  EXPECT_THROW(LengthGroupedSampler({.batches_in_group = -1}), ConfigError);
  EXPECT_THROW((void)group_by_length({0, 1}, {.lengths = {3}}), ConfigError);
}

} // namespace
} // namespace accelerate
