// tests/unit/state/step_gate_test.cpp
#include "accelerate/state/step_gate.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace accelerate {
namespace {

/// Answers as told, and remembers what it was asked.
class Scripted : public StepGuard {
 public:
  StepVerdict before_step(const StepRequest& request) override {
    asked.push_back(request.optimizer);
    num_optimizers = request.num_optimizers;
    if (throws) {
      throw std::runtime_error("no");
    }
    return verdict;
  }
  void after_zero_grad(std::size_t optimizer) override {
    cleared.push_back(optimizer);
  }

  StepVerdict verdict = StepVerdict::kStep;
  bool throws = false;
  std::vector<std::size_t> asked;
  std::vector<std::size_t> cleared;
  std::size_t num_optimizers = 0;
};

class Gate : public testing::Test {
 protected:
  std::shared_ptr<Scripted> add_guard() {
    auto guard = std::make_shared<Scripted>();
    guards_->add(guard);
    return guard;
  }

  std::shared_ptr<GradientState> gradients_ = std::make_shared<GradientState>();
  std::shared_ptr<StepGuards> guards_ = std::make_shared<StepGuards>();
  StepGate gate_{gradients_, guards_};
};

TEST_F(Gate, IsOpenWithoutGuards) {
  EXPECT_FALSE(gate_.has_guards());
  EXPECT_TRUE(gate_.may_step({}));
  EXPECT_FALSE(gate_.step_was_skipped());
}

TEST_F(Gate, AsksNobodyWhileGradientsAccumulate) {
  const auto guard = add_guard();
  gradients_->set_sync_gradients(false);
  EXPECT_FALSE(gate_.may_step({}));
  EXPECT_FALSE(gate_.step_was_skipped()) << "a step that was not due";
  EXPECT_TRUE(guard->asked.empty());
}

TEST_F(Gate, FirstGuardThatForbidsTheStepEndsTheAsking) {
  const auto first = add_guard();
  const auto second = add_guard();
  first->verdict = StepVerdict::kSkip;
  EXPECT_FALSE(gate_.may_step({}));
  EXPECT_TRUE(gate_.step_was_skipped());
  EXPECT_EQ(first->asked.size(), 1U);
  EXPECT_TRUE(second->asked.empty());

  gradients_->set_sync_gradients(false);
  EXPECT_FALSE(gate_.may_step({}));
  EXPECT_TRUE(gate_.step_was_skipped()) << "of the last step that was due";

  gradients_->set_sync_gradients(true);
  first->verdict = StepVerdict::kStep;
  EXPECT_TRUE(gate_.may_step({}));
  EXPECT_FALSE(gate_.step_was_skipped());
  EXPECT_EQ(second->asked.size(), 1U);
}

TEST_F(Gate, StepOfAGuardThatThrowsCountsAsSkipped) {
  const auto guard = add_guard();
  guard->throws = true;
  EXPECT_THROW((void)gate_.may_step({}), std::runtime_error);
  EXPECT_TRUE(gate_.step_was_skipped());
}

TEST_F(Gate, GuardsLearnWhichOptimiserAndHowManyThereAre) {
  const auto guard = add_guard();
  {
    StepGate other(gradients_, guards_);
    EXPECT_TRUE(other.may_step({}));
    EXPECT_EQ(guard->asked, std::vector<std::size_t>{1});
    EXPECT_EQ(guard->num_optimizers, 2U);
    other.after_zero_grad();
    EXPECT_EQ(guard->cleared, std::vector<std::size_t>{1});
  }
  const StepGate third(gradients_, guards_);
  EXPECT_EQ(third.optimizer(), 2U) << "a number is never given twice";
  EXPECT_TRUE(gate_.may_step({}));
  EXPECT_EQ(guard->num_optimizers, 2U);
}

} // namespace
} // namespace accelerate
