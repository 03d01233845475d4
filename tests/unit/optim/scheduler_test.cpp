// tests/unit/optim/scheduler_test.cpp
#include "accelerate/optim/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ops/ones.h>
#include <torch/optim/sgd.h>

#include "accelerate/optim/adam.h"
#include "accelerate/optim/sgd.h"
#include "config_error_of.h"

namespace accelerate::optim {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

at::Tensor parameter() {
  return at::ones({3}).requires_grad_();
}

SGD two_groups() {
  return SGD({{{parameter()}, {.lr = 1.0}}, {{parameter()}, {.lr = 0.1}}});
}

TEST(Scheduler, SaysWhatToDoWhenItHasNoOptimiser) {
  Scheduler scheduler = get_scheduler("linear", {.num_training_steps = 4});
  EXPECT_FALSE(scheduler.is_bound());
  EXPECT_THAT(
      config_error_of([&] { scheduler.step(); }),
      HasSubstr("pass it to prepare() beside one"));
  EXPECT_THAT(
      config_error_of([&] { (void)scheduler.last_lr(); }),
      HasSubstr("has no optimiser"));
}

TEST(Scheduler, SetsTheRatesOfEveryGroupAtOnceAndAfterEachStep) {
  SGD optimizer = two_groups();
  Scheduler scheduler = get_scheduler(
      "linear", optimizer, {.num_warmup_steps = 2, .num_training_steps = 4});
  std::vector<double> first;
  for (int step = 0; step < 6; ++step) {
    EXPECT_EQ(scheduler.step_count(), step);
    EXPECT_EQ(scheduler.last_lr()[0], optimizer.learning_rate(0));
    EXPECT_NEAR(
        optimizer.learning_rate(1), optimizer.learning_rate(0) / 10, 1e-12);
    first.push_back(optimizer.learning_rate(0));
    scheduler.step();
  }
  EXPECT_THAT(first, ElementsAre(0, 0.5, 1, 0.5, 0, 0));
}

TEST(Scheduler, CountsBatchesOfTheUnshardedLoaderOnceBound) {
  SGD optimizer = two_groups();
  Scheduler scheduler = get_scheduler("linear", {.num_training_steps = 12});
  const Scheduler same = scheduler; // copies share the position
  scheduler.bind(as_optimizer(optimizer), {.world_size = 3});
  EXPECT_TRUE(same.is_bound());
  EXPECT_EQ(optimizer.learning_rate(0), 1);
  scheduler.step();
  EXPECT_EQ(same.step_count(), 3);
  EXPECT_THAT(same.last_lr(), ElementsAre(0.75, DoubleEq(0.075)));
  EXPECT_THAT(
      config_error_of([&] { scheduler.bind(as_optimizer(optimizer), {}); }),
      HasSubstr("already has an optimiser"));
}

TEST(Scheduler, WaitsWhileTheGradientsItFollowsDoNotSynchronise) {
  SGD optimizer = two_groups();
  Scheduler scheduler =
      get_scheduler("linear", optimizer, {.num_training_steps = 4});
  const auto gradients = std::make_shared<GradientState>();
  scheduler.follow(gradients);
  gradients->set_sync_gradients(false);
  scheduler.step();
  EXPECT_EQ(scheduler.step_count(), 0);
  gradients->set_sync_gradients(true);
  scheduler.step();
  EXPECT_EQ(scheduler.step_count(), 1);
  EXPECT_EQ(optimizer.learning_rate(0), 0.75);
}

TEST(Scheduler, DrivesOptimisersOfTorch) {
  torch::optim::SGD theirs({parameter()}, 0.5);
  Scheduler scheduler =
      get_scheduler("linear", theirs, {.num_training_steps = 2});
  scheduler.step();
  EXPECT_EQ(theirs.param_groups()[0].options().get_lr(), 0.25);
}

TEST(Scheduler, StartsFromTheRatesTheOptimiserWasMadeWith) {
  SGD optimizer = two_groups();
  Scheduler first = get_scheduler(
      "linear", optimizer, {.num_warmup_steps = 2, .num_training_steps = 4});
  EXPECT_EQ(optimizer.learning_rate(0), 0);
  // A second schedule for a second phase does not start from the zero of the
  // first one's warm-up.
  Scheduler second = get_scheduler("constant", optimizer);
  EXPECT_THAT(second.last_lr(), ElementsAre(1.0, 0.1));
}

TEST(Scheduler, ContinuesAtAPosition) {
  SGD optimizer = two_groups();
  Scheduler scheduler =
      get_scheduler("cosine", optimizer, {.num_training_steps = 10});
  for (int i = 0; i < 7; ++i) {
    scheduler.step();
  }
  const std::vector<double> rates = scheduler.last_lr();
  SGD other = two_groups();
  Scheduler resumed =
      get_scheduler("cosine", other, {.num_training_steps = 10});
  resumed.set_step_count(7);
  EXPECT_EQ(resumed.last_lr(), rates);
  EXPECT_THAT(
      config_error_of([&] { resumed.set_step_count(-1); }),
      HasSubstr("step count is -1"));
}

TEST(LambdaScheduler, MultipliesTheInitialRatesByTheUsersFactor) {
  SGD optimizer = two_groups();
  Scheduler scheduler = lambda_scheduler(
      optimizer, [](std::int64_t step) { return 1.0 / double(step + 1); });
  scheduler.step();
  EXPECT_THAT(scheduler.last_lr(), ElementsAre(0.5, DoubleNear(0.05, 1e-15)));
}

} // namespace
} // namespace accelerate::optim
