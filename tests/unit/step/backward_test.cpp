// tests/unit/step/backward_test.cpp
#include "accelerate/step/backward.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include "accelerate/error.h"

namespace accelerate::step {
namespace {

using testing::HasSubstr;

void run(const at::Tensor& loss, const BackwardOptions& options = {}) {
  backward(ProcessGroup(), GradientState(), loss, {}, options);
}

std::string refusal(
    const at::Tensor& loss,
    const BackwardOptions& options = {}) {
  try {
    run(loss, options);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

at::Tensor leaf(double value) {
  return at::full({3}, value).requires_grad_();
}

TEST(Backward, GivesTheGradientOfAScalar) {
  const at::Tensor x = leaf(2);
  run(x.square().sum());
  EXPECT_TRUE(at::equal(x.grad(), at::full({3}, 4.0)));
}

TEST(Backward, DividesByTheStepsOfAccumulation) {
  const at::Tensor x = leaf(2);
  GradientState state;
  state.set_num_steps(4);
  for (int step = 1; step <= 4; ++step) {
    backward(ProcessGroup(), state, x.square().sum(), {});
    EXPECT_TRUE(at::equal(x.grad(), at::full({3}, 1.0 * step)));
  }
}

TEST(Backward, TakesALossOfAnyShapeWithItsGradient) {
  const at::Tensor x = leaf(2);
  const at::Tensor weights = at::tensor({1.0F, 10.0F, 100.0F});
  run(x.square(), {.gradient = weights});
  EXPECT_TRUE(at::equal(x.grad(), weights * 4));
  GradientState state;
  state.set_num_steps(2);
  backward(ProcessGroup(), state, x * 2, {}, {.gradient = weights});
  EXPECT_TRUE(at::equal(x.grad(), weights * 5));
}

TEST(Backward, KeepsTheGraphForASecondOne) {
  const at::Tensor x = leaf(2);
  const at::Tensor loss = x.square().sum();
  run(loss, {.retain_graph = true});
  run(loss);
  EXPECT_TRUE(at::equal(x.grad(), at::full({3}, 8.0)));
  EXPECT_THROW(run(loss), c10::Error) << "the graph is gone by now";
}

TEST(Backward, RecordsItselfAndThenKeepsTheGraph) {
  const at::Tensor x = leaf(2);
  const at::Tensor loss = x.pow(3).sum();
  run(loss, {.create_graph = true});
  const at::Tensor first = x.grad();
  EXPECT_TRUE(first.requires_grad());
  x.mutable_grad() = at::Tensor();
  run(first.sum()); // d/dx 3x² = 6x
  EXPECT_TRUE(at::equal(x.grad(), at::full({3}, 12.0)));
}

TEST(Backward, ReachesOnlyTheInputsGiven) {
  const at::Tensor x = leaf(2), y = leaf(5);
  run((x * y).sum(), {.inputs = {x}});
  EXPECT_TRUE(at::equal(x.grad(), at::full({3}, 5.0)));
  EXPECT_FALSE(y.grad().defined());
}

TEST(Backward, ExplainsALossThatIsMissing) {
  EXPECT_THAT(
      refusal(at::Tensor()),
      testing::AllOf(HasSubstr("'labels'"), HasSubstr("None in Python")));
}

TEST(Backward, ExplainsALossThatIsNoScalarAndShowsItsShape) {
  EXPECT_THAT(
      refusal(at::ones({2, 3}).requires_grad_()),
      testing::AllOf(HasSubstr("[2, 3]"), HasSubstr("mean()")));
}

TEST(Backward, ShowsBothShapesWhenTheGradientDoesNotFitTheLoss) {
  EXPECT_THAT(
      refusal(leaf(1), {.gradient = at::ones({2})}),
      testing::AllOf(HasSubstr("[3]"), HasSubstr("[2]")));
}

TEST(Backward, ExplainsALossOfIntegers) {
  EXPECT_THAT(refusal(at::ones({}, at::kLong)), HasSubstr("Long"));
}

TEST(Backward, ExplainsALossThatNoParameterReaches) {
  EXPECT_THAT(refusal(at::ones({})), HasSubstr("not connected"));
}

/// Some leaves as a prepared model of one process.
std::shared_ptr<ModelCore> core_of(const at::Tensor& parameter) {
  return std::make_shared<ModelCore>(
      ModelTensors{{{"p", parameter}}, {}},
      ProcessGroup(),
      DistributedDataParallelOptions());
}

TEST(BackwardOfItems, AveragesOverTheItemsOfAllMicroBatches) {
  const at::Tensor x = leaf(0), y = leaf(0);
  const std::vector models{core_of(x), core_of(y)};
  GradientState state;
  state.set_num_steps(3);
  for (int round = 0; round < 2; ++round) {
    x.mutable_grad() = y.mutable_grad() = at::Tensor();
    double sum = 0;
    for (const int items : {1, 4, 2}) {
      state.set_sync_gradients(items == 2);
      backward(
          ProcessGroup(),
          state,
          (x * (10 * items)).sum(),
          models,
          {.num_items = items});
      sum += items * 10 * items;
    }
    EXPECT_TRUE(at::allclose(x.grad(), at::full({3}, sum / 7)));
    EXPECT_FALSE(y.grad().defined()) << "a model that is not in the loss";
  }
}

TEST(BackwardOfItems, WithoutItemsAddsNothingWhateverTheLoss) {
  const at::Tensor x = leaf(2);
  const std::vector models{core_of(x)};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  GradientState state;
  backward(ProcessGroup(), state, (x * nan).sum(), models, {.num_items = 0});
  EXPECT_TRUE(at::equal(x.grad(), at::zeros({3})));
  backward(ProcessGroup(), state, (x * 6).mean(), models, {.num_items = 5});
  EXPECT_TRUE(at::allclose(x.grad(), at::full({3}, 2.0)));
}

TEST(BackwardOfItems, RefusesWhatItCannotAverage) {
  const at::Tensor x = leaf(2);
  EXPECT_THAT(
      refusal(x.sum(), {.num_items = 1}), HasSubstr("none of the 0 prepared"));
  EXPECT_THAT(
      refusal(x.sum(), {.create_graph = true, .num_items = 1}),
      HasSubstr("'create_graph'"));
  EXPECT_THROW(
      backward(
          ProcessGroup(),
          GradientState(),
          x.sum(),
          std::vector{core_of(x)},
          {.num_items = -1}),
      ConfigError);
}

} // namespace
} // namespace accelerate::step
