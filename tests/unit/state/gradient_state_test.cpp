// tests/unit/state/gradient_state_test.cpp
#include "accelerate/state/gradient_state.h"

#include <gtest/gtest.h>

#include "accelerate/error.h"

namespace accelerate {
namespace {

struct Loader : ActiveLoader {
  explicit Loader(std::int64_t n) : samples(n) {}
  bool end_of_dataloader() const override {
    return samples > 5;
  }
  std::int64_t remainder() const override {
    return samples + 10;
  }
  std::int64_t valid_samples() const override {
    return samples;
  }
  std::int64_t samples;
};

TEST(GradientState, SynchronizesUnlessToldOtherwise) {
  GradientState state;
  EXPECT_TRUE(state.sync_gradients());
  state.set_sync_gradients(false);
  EXPECT_FALSE(state.sync_gradients());
}

TEST(GradientState, AccumulatesNothingUnlessToldTo) {
  GradientState state;
  EXPECT_EQ(state.num_steps(), 1);
  EXPECT_EQ(state.step(), 0);
  EXPECT_TRUE(state.sync_with_dataloader());
  EXPECT_FALSE(state.sync_each_batch());
  state.set_num_steps(4);
  EXPECT_EQ(state.num_steps(), 4);
  for (const int steps : {0, -1}) {
    EXPECT_THROW(state.set_num_steps(steps), ConfigError);
  }
  EXPECT_EQ(state.num_steps(), 4);
}

TEST(GradientState, KnowsNothingOutsideALoader) {
  const GradientState state;
  EXPECT_EQ(state.active_loader(), nullptr);
  EXPECT_FALSE(state.end_of_dataloader());
  EXPECT_EQ(state.remainder(), -1);
  EXPECT_EQ(state.valid_samples(), -1);
}

TEST(GradientState, AsksTheLoaderThatWasAddedLast) {
  GradientState state;
  const auto outer = std::make_shared<Loader>(4);
  const auto inner = std::make_shared<Loader>(6);
  state.push_loader(outer);
  EXPECT_EQ(state.valid_samples(), 4);
  EXPECT_FALSE(state.end_of_dataloader());
  state.push_loader(inner);
  EXPECT_EQ(state.remainder(), 16);
  EXPECT_TRUE(state.end_of_dataloader());
  state.remove_loader(inner.get());
  EXPECT_EQ(state.active_loader(), outer);
  state.remove_loader(inner.get());
  state.remove_loader(nullptr);
  EXPECT_EQ(state.active_loader(), outer);
}

TEST(GradientState, ALoaderAddedAgainMovesToTheTopAndLeavesOnce) {
  GradientState state;
  const auto a = std::make_shared<Loader>(1);
  const auto b = std::make_shared<Loader>(2);
  state.push_loader(a);
  state.push_loader(b);
  state.push_loader(a);
  EXPECT_EQ(state.valid_samples(), 1);
  state.remove_loader(a.get());
  EXPECT_EQ(state.valid_samples(), 2);
}

TEST(GradientState, ForgetsALoaderThatDied) {
  GradientState state;
  const auto outer = std::make_shared<Loader>(1);
  state.push_loader(outer);
  state.push_loader(std::make_shared<Loader>(2));
  EXPECT_EQ(state.active_loader(), outer);
}

} // namespace
} // namespace accelerate
