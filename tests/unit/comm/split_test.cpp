// tests/unit/comm/split_test.cpp
#include "accelerate/comm/split.h"

#include "accelerate/comm/process_group_impl.h"
#include "accelerate/error.h"

#include <ATen/ATen.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace accelerate {
namespace {

ProcessGroup place(int rank, int world) {
  ProcessGroup group;
  group.impl().global_rank = rank;
  group.impl().world_size = world;
  return group;
}

std::vector<int> numbers(int count) {
  std::vector<int> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(i);
  }
  return values;
}

TEST(Split, SharesFollowEachOtherAndDifferByOne) {
  for (const int size : {0, 1, 2, 7, 1000}) {
    for (const int world : {1, 2, 3, 4}) {
      std::vector<int> all;
      for (int rank = 0; rank < world; ++rank) {
        const auto part =
            split_between_processes(place(rank, world), numbers(size));
        const int expected = size / world + (rank < size % world ? 1 : 0);
        EXPECT_EQ(static_cast<int>(part.size()), expected);
        all.insert(all.end(), part.begin(), part.end());
      }
      EXPECT_EQ(all, numbers(size));
    }
  }
}

TEST(Split, PaddingRepeatsTheInputsLastElementUpToTheLargestShare) {
  const auto part = [](int rank, int world, int size) {
    return split_between_processes(
        place(rank, world), numbers(size), SplitPadding::kRepeatLast);
  };
  using testing::ElementsAre;
  EXPECT_THAT(part(0, 2, 3), ElementsAre(0, 1));
  EXPECT_THAT(part(1, 2, 3), ElementsAre(2, 2));
  EXPECT_THAT(part(0, 2, 4), ElementsAre(0, 1));
  EXPECT_THAT(part(1, 3, 4), ElementsAre(2, 3)); // not its own last, 2
  EXPECT_THAT(part(2, 3, 1), ElementsAre(0)); // an empty share
  EXPECT_THAT(part(1, 2, 0), ElementsAre());
}

TEST(Split, TensorsAndBatchesSplitOnTheirSamples) {
  const at::Tensor x = at::arange(6).view({3, 2});
  const ProcessGroup last = place(1, 2);
  EXPECT_TRUE(at::equal(
      split_between_processes(last, x), at::arange(4, 6).view({1, 2})));
  const Batch part = split_between_processes(
      last, Batch{{"x", x}, {"y", at::arange(3)}}, SplitPadding::kRepeatLast);
  EXPECT_TRUE(at::equal(part["x"], at::tensor({4, 5, 4, 5}).view({2, 2})));
  EXPECT_TRUE(at::equal(part["y"], at::tensor({2, 2})));
  EXPECT_TRUE(at::equal(
      split_between_processes(
          place(1, 3), at::arange(4), SplitPadding::kRepeatLast),
      at::tensor({2, 3})));
}

TEST(Split, RefusesWhatHasNoSamples) {
  EXPECT_THROW(
      (void)split_between_processes(place(0, 2), at::ones({})), ConfigError);
  EXPECT_THROW(
      (void)split_between_processes(
          place(0, 2), Batch{{"x", at::ones({3})}, {"y", at::ones({2})}}),
      ConfigError);
}

} // namespace
} // namespace accelerate
