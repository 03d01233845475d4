// tests/unit/optim/gated_optimizer_test.cpp
#include "accelerate/optim/gated_optimizer.h"

#include <gtest/gtest.h>

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include "accelerate/optim/scheduler.h"
#include "accelerate/optim/sgd.h"

namespace accelerate::optim {
namespace {

/// Forbids steps while it is closed.
class Barrier : public StepGuard {
 public:
  StepVerdict before_step(const StepRequest& request) override {
    num_parameters = request.parameters.size();
    return is_closed ? StepVerdict::kSkip : StepVerdict::kStep;
  }
  void after_zero_grad(std::size_t /*optimizer*/) override {
    ++times_cleared;
  }

  bool is_closed = false;
  std::size_t num_parameters = 0;
  int times_cleared = 0;
};

class Gated : public testing::Test {
 protected:
  void give_gradient() {
    weight_.mutable_grad() = at::ones({1});
  }
  double weight() const {
    return weight_.item<double>();
  }

  at::Tensor weight_ = at::full({1}, 10.0).requires_grad_();
  std::shared_ptr<GradientState> gradients_ = std::make_shared<GradientState>();
  std::shared_ptr<StepGuards> guards_ = std::make_shared<StepGuards>();
  GatedOptimizer optimizer_{
      std::make_shared<SGD>(
          std::vector<at::Tensor>{weight_},
          SGDOptions{.lr = 1}),
      gradients_,
      guards_};
};

TEST_F(Gated, OptimiserWaitsUntilGradientsSynchronise) {
  give_gradient();
  gradients_->set_sync_gradients(false);
  optimizer_.step();
  optimizer_.zero_grad();
  EXPECT_TRUE(optimizer_.is_accumulating());
  EXPECT_EQ(weight(), 10);
  EXPECT_TRUE(weight_.grad().defined());
  EXPECT_FALSE(optimizer_.has_stepped());

  gradients_->set_sync_gradients(true);
  optimizer_.step();
  optimizer_.zero_grad();
  EXPECT_FALSE(optimizer_.is_accumulating());
  EXPECT_EQ(weight(), 9);
  EXPECT_FALSE(weight_.grad().defined());
  EXPECT_TRUE(optimizer_.has_stepped());
}

TEST_F(Gated, OptimiserIsOtherwiseTheOneInside) {
  EXPECT_EQ(optimizer_.num_groups(), 1U);
  EXPECT_TRUE(optimizer_.parameters()[0].is_same(weight_));
  EXPECT_EQ(optimizer_.initial_learning_rates(), std::vector<double>{1});
  optimizer_.set_learning_rate(0, 0.25);
  EXPECT_EQ(optimizer_.learning_rate(), 0.25);
  EXPECT_EQ(optimizer_.initial_learning_rates(), std::vector<double>{1});
}

TEST_F(Gated, ScheduleOverItWaitsAsWell) {
  Scheduler schedule =
      get_scheduler("linear", optimizer_, {.num_training_steps = 4});
  gradients_->set_sync_gradients(false);
  schedule.step();
  EXPECT_EQ(optimizer_.learning_rate(), 1);
  gradients_->set_sync_gradients(true);
  schedule.step();
  EXPECT_EQ(optimizer_.learning_rate(), 0.75);
  EXPECT_EQ(schedule.step_count(), 1);
}

TEST_F(Gated, ForbiddenStepsAreLeftOutAndTheScheduleWaits) {
  const auto barrier = std::make_shared<Barrier>();
  guards_->add(barrier);
  Scheduler schedule =
      get_scheduler("linear", optimizer_, {.num_training_steps = 4});
  barrier->is_closed = true;
  give_gradient();
  optimizer_.step();
  schedule.step();
  EXPECT_TRUE(optimizer_.step_was_skipped());
  EXPECT_EQ(barrier->num_parameters, 1U);
  EXPECT_EQ(weight(), 10);
  EXPECT_EQ(schedule.step_count(), 0);

  gradients_->set_sync_gradients(false);
  optimizer_.zero_grad();
  EXPECT_EQ(barrier->times_cleared, 0);
  gradients_->set_sync_gradients(true);
  optimizer_.zero_grad();
  EXPECT_EQ(barrier->times_cleared, 1);

  barrier->is_closed = false;
  give_gradient();
  optimizer_.step();
  schedule.step();
  EXPECT_FALSE(optimizer_.step_was_skipped());
  EXPECT_EQ(weight(), 9);
  EXPECT_EQ(schedule.step_count(), 1);
}

} // namespace
} // namespace accelerate::optim
