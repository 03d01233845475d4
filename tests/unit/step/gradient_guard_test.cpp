// tests/unit/step/gradient_guard_test.cpp: one process; several are in
// tests/dist/check_ranks.cpp. Hashes of parameters as well.
#include "accelerate/step/gradient_guard.h"

#include "accelerate/step/parameter_check.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "accelerate/error.h"

namespace accelerate::step {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

/// A model of two parameters with gradients.
struct Fixture {
  at::Tensor a = at::ones({2, 3}).requires_grad_();
  at::Tensor b = at::ones({4}).requires_grad_();
  std::shared_ptr<ModelCore> core = std::make_shared<ModelCore>(
      ModelTensors{{{"a", a}, {"b", b}}, {}},
      ProcessGroup(),
      DistributedDataParallelOptions());
  std::vector<at::Tensor> parameters{b, a}; // in another order
  StepRequest request{.parameters = parameters};

  Fixture() {
    a.mutable_grad() = at::ones({2, 3});
    b.mutable_grad() = at::ones({4});
  }
  GradientGuard guard(NonFiniteGradients action) {
    return {
        ProcessGroup(),
        [this] { return std::vector<std::shared_ptr<ModelCore>>{core}; },
        action};
  }
};

TEST(GradientGuard, NamesTheFirstParameterOfTheModel) {
  Fixture model;
  auto guard = model.guard(NonFiniteGradients::kRaise);
  EXPECT_EQ(guard.before_step(model.request), StepVerdict::kStep);
  model.b.grad()[3] = INFINITY;
  EXPECT_THAT(
      [&] { (void)guard.before_step(model.request); },
      ThrowsMessage<ConfigError>(
          HasSubstr("the gradient of 'b' holds infinity on rank 0")));
  model.a.grad()[1][2] = NAN;
  EXPECT_THAT(
      [&] { (void)guard.before_step(model.request); },
      ThrowsMessage<ConfigError>(HasSubstr("'a' holds not-a-number")));
}

TEST(GradientGuard, WarnsOrSkips) {
  Fixture model;
  model.a.grad()[0][0] = NAN;
  EXPECT_EQ(
      model.guard(NonFiniteGradients::kSkip).before_step(model.request),
      StepVerdict::kSkip);
  EXPECT_EQ(
      model.guard(NonFiniteGradients::kWarn).before_step(model.request),
      StepVerdict::kStep);
}

TEST(GradientGuard, LooksAtTheParametersOfThisOptimiserOnly) {
  Fixture model;
  model.a.grad()[0][0] = NAN;
  const std::vector<at::Tensor> other{model.b};
  EXPECT_EQ(
      model.guard(NonFiniteGradients::kSkip).before_step({.parameters = other}),
      StepVerdict::kStep);
  model.a.mutable_grad().reset();
  EXPECT_EQ(
      model.guard(NonFiniteGradients::kSkip).before_step(model.request),
      StepVerdict::kStep);
}

TEST(GradientGuard, BelievesAFiniteNormOfThisStep) {
  Fixture model;
  auto guard = model.guard(NonFiniteGradients::kSkip);
  model.a.grad()[0][0] = NAN;
  guard.note_norm({model.a, model.b}, at::full({}, NAN));
  EXPECT_EQ(guard.before_step(model.request), StepVerdict::kSkip);
  guard.note_norm({model.b}, at::ones({}));
  EXPECT_EQ(guard.before_step(model.request), StepVerdict::kSkip);
  guard.note_norm({model.a, model.b}, at::ones({}));
  EXPECT_EQ(guard.before_step(model.request), StepVerdict::kStep);
  EXPECT_EQ(guard.before_step(model.request), StepVerdict::kSkip); // the next
  guard.note_norm({model.a, model.b}, at::ones({}));
  guard.after_zero_grad(0);
  EXPECT_EQ(guard.before_step(model.request), StepVerdict::kSkip);
}

TEST(GradientGuard, HasFourWords) {
  EXPECT_EQ(parse_nonfinite_gradients("off"), NonFiniteGradients::kOff);
  EXPECT_EQ(parse_nonfinite_gradients("warn"), NonFiniteGradients::kWarn);
  EXPECT_EQ(parse_nonfinite_gradients("skip"), NonFiniteGradients::kSkip);
  EXPECT_EQ(parse_nonfinite_gradients("raise"), NonFiniteGradients::kRaise);
  EXPECT_THROW((void)parse_nonfinite_gradients("Skip"), ConfigError);
}

TEST(ParameterHash, DependsOnValuesShapeAndDtype) {
  std::set<std::uint64_t> seen;
  std::size_t count = 0;
  for (const std::int64_t size : {0, 1, 3, 7, 8, 9, 33, 64, 1000}) {
    const at::Tensor values = at::arange(size).to(at::kFloat);
    std::vector<at::Tensor> different{
        values, values.view({1, size}), values.to(at::kDouble)};
    if (size > 0) {
      for (const std::int64_t place : {std::int64_t{0}, size / 2, size - 1}) {
        at::Tensor changed = values.clone();
        changed[place] += 0.5 + static_cast<double>(place);
        different.push_back(changed);
      }
    }
    for (const at::Tensor& one : different) {
      seen.insert(hash_values(one));
    }
    count += size == 0 ? 3 : (size == 1 ? 4 : 6);
  }
  EXPECT_EQ(seen.size(), count);
}

TEST(ParameterHash, DoesNotDependOnLayout) {
  const at::Tensor values = at::arange(12).to(at::kFloat).view({3, 4});
  const at::Tensor turned = values.t().contiguous().t();
  ASSERT_FALSE(turned.is_contiguous());
  EXPECT_EQ(hash_values(values), hash_values(turned));
  EXPECT_NE(hash_values(values), hash_values(values.t().contiguous()));
}

TEST(ParameterCheck, RefusesAPeriodOfZero) {
  EXPECT_THROW(
      ParameterCheck(
          ProcessGroup(),
          [] { return std::vector<std::shared_ptr<ModelCore>>(); },
          0),
      ConfigError);
}

} // namespace
} // namespace accelerate::step
