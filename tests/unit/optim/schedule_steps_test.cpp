// tests/unit/optim/schedule_steps_test.cpp
#include "accelerate/optim/schedule_steps.h"

#include <gtest/gtest.h>

namespace accelerate {
namespace {

TEST(ScheduleSteps, CountTheBatchesOfAllRanks) {
  for (const int world : {1, 2, 3, 8}) {
    EXPECT_EQ(schedule_steps({.world_size = world}), world);
  }
}

TEST(ScheduleSteps, CountASplitBatchOnce) {
  EXPECT_EQ(schedule_steps({.world_size = 4, .split_batches = true}), 1);
}

TEST(ScheduleSteps, WaitWhileGradientsAccumulate) {
  EXPECT_EQ(schedule_steps({.world_size = 4, .sync_gradients = false}), 0);
  EXPECT_EQ(
      schedule_steps(
          {.world_size = 4, .split_batches = true, .sync_gradients = false}),
      0);
}

TEST(ScheduleSteps, WaitWhenAnOptimiserLeftItsStepOut) {
  EXPECT_EQ(
      schedule_steps({.world_size = 4, .any_optimizer_skipped = true}), 0);
}

TEST(ScheduleSteps, OfAScheduleOnItsOwnAreOneInEveryCase) {
  EXPECT_EQ(
      schedule_steps(
          {.world_size = 4,
           .step_with_optimizer = false,
           .sync_gradients = false,
           .any_optimizer_skipped = true}),
      1);
}

} // namespace
} // namespace accelerate
