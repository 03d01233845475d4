// tests/unit/step/accumulate_test.cpp: the sequence of the flag; gradients of
// several ranks are in tests/dist.
#include "accelerate/step/accumulate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace accelerate::step {
namespace {

using testing::ElementsAre;

struct Loader final : ActiveLoader {
  bool end_of_dataloader() const override {
    return is_last;
  }
  std::int64_t remainder() const override {
    return 0;
  }
  std::int64_t valid_samples() const override {
    return -1;
  }
  bool is_last = false;
};

/// The flag in each of the batches of some epochs of 5.
std::vector<int> flags(GradientState& state, int epochs) {
  const auto loader = std::make_shared<Loader>();
  state.push_loader(loader);
  std::vector<int> result;
  for (int batch = 1; batch <= 5 * epochs; ++batch) {
    loader->is_last = batch % 5 == 0;
    const bool syncs = begin_accumulation(state);
    EXPECT_EQ(syncs, state.sync_gradients());
    result.push_back(syncs ? 1 : 0);
  }
  return result;
}

TEST(BeginAccumulation, EndsWithTheLoaderAndStartsAgain) {
  GradientState state;
  state.set_num_steps(2);
  EXPECT_THAT(flags(state, 2), ElementsAre(0, 1, 0, 1, 1, 0, 1, 0, 1, 1));
  EXPECT_EQ(state.step(), 0);
}

TEST(BeginAccumulation, GoesOnAcrossLoadersWhenAsked) {
  GradientState state;
  state.set_num_steps(2);
  state.set_sync_with_dataloader(false);
  EXPECT_THAT(flags(state, 2), ElementsAre(0, 1, 0, 1, 0, 1, 0, 1, 0, 1));
  EXPECT_EQ(state.step(), 10);
}

TEST(BeginAccumulation, OfOneStepAlwaysSynchronises) {
  GradientState state;
  EXPECT_THAT(flags(state, 1), ElementsAre(1, 1, 1, 1, 1));
}

TEST(BeginAccumulation, OfMoreStepsThanBatchesSynchronisesAtTheEnd) {
  GradientState state;
  state.set_num_steps(7);
  EXPECT_THAT(flags(state, 2), ElementsAre(0, 0, 0, 0, 1, 0, 0, 0, 0, 1));
}

TEST(BeginAccumulation, CountsOutsideALoader) {
  GradientState state;
  state.set_num_steps(3);
  std::vector<int> result;
  for (int step = 0; step < 7; ++step) {
    result.push_back(begin_accumulation(state) ? 1 : 0);
  }
  EXPECT_THAT(result, ElementsAre(0, 0, 1, 0, 0, 1, 0));
}

} // namespace
} // namespace accelerate::step
