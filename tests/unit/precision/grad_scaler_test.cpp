// tests/unit/precision/grad_scaler_test.cpp: against torch's GradScaler
// (tools/golden/grad_scaler.py) and in closed form.
#include "accelerate/precision/grad_scaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <string>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <nlohmann/json.hpp>

#include "accelerate/error.h"

namespace accelerate {
namespace {

using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <typename F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no ConfigError";
}

nlohmann::json golden() {
  std::ifstream file(
      std::string(ACCELERATE_TEST_DATA) + "/parity/golden/grad_scaler.json");
  EXPECT_TRUE(file.is_open());
  return nlohmann::json::parse(file);
}

GradScalerOptions options_of(const nlohmann::json& values) {
  return {
      .init_scale = values["init_scale"],
      .growth_factor = values["growth_factor"],
      .backoff_factor = values["backoff_factor"],
      .growth_interval = values["growth_interval"]};
}

/// A weight that plain gradient descent moves, behind a gate.
struct Trained {
  std::size_t number;
  at::Tensor weight = at::tensor({1.0F, 2.0F}).requires_grad_();

  std::vector<at::Tensor> parameters() const {
    return {weight};
  }
  at::Tensor loss(double factor) const {
    return (weight * factor).sum();
  }
  StepVerdict step(GradScaler& scaler, std::size_t num_optimizers, double lr) {
    const std::vector<at::Tensor> all = parameters();
    const StepVerdict verdict = scaler.before_step(
        {.optimizer = number,
         .num_optimizers = num_optimizers,
         .parameters = all});
    if (verdict == StepVerdict::kStep && weight.grad().defined()) {
      const at::NoGradGuard no_grad;
      weight.sub_(weight.grad(), lr);
    }
    return verdict;
  }
  void zero_grad(GradScaler& scaler) {
    weight.mutable_grad() = at::Tensor();
    scaler.after_zero_grad(number);
  }
  std::vector<float> values() const {
    return {weight[0].item<float>(), weight[1].item<float>()};
  }
};

class Scaler : public testing::Test {
 protected:
  void backward(double factor) {
    scaler_.scale(one_.loss(factor)).backward();
  }
  double gradient() const {
    return one_.weight.grad()[0].item<double>();
  }
  StepVerdict step(std::size_t num_optimizers = 1) {
    return one_.step(scaler_, num_optimizers, 0.125);
  }

  GradScaler scaler_{ProcessGroup(), {.init_scale = 8, .growth_interval = 2}};
  Trained one_{.number = 0};
};

TEST(GradScalerTrace, OfOneOptimiserIsThatOfTheOriginal) {
  const nlohmann::json file = golden();
  for (const nlohmann::json& expected : file["one_optimizer"]) {
    const int num_steps = expected["num_steps"];
    GradScaler scaler(ProcessGroup(), options_of(file["options"]));
    Trained one{.number = 0};
    double lr = 0.1;
    int scheduled = 0;
    for (std::size_t i = 0; i < expected["rows"].size(); ++i) {
      SCOPED_TRACE(concat(num_steps, " steps, batch ", i));
      const nlohmann::json& row = expected["rows"][i];
      const double factor = std::stod(std::string(file["factors"][i]));
      scaler.scale(one.loss(factor) / num_steps).backward();
      if ((static_cast<int>(i) + 1) % num_steps == 0) {
        const StepVerdict verdict = one.step(scaler, 1, lr);
        EXPECT_EQ(verdict == StepVerdict::kSkip, bool(row["skipped"]));
        scheduled += verdict == StepVerdict::kStep ? 1 : 0;
        lr = 0.1 / (1 + scheduled);
        one.zero_grad(scaler);
        EXPECT_EQ(scaler.current_scale(), double(row["scale"]));
        EXPECT_EQ(
            scaler.state().growth_tracker, std::int64_t(row["growth_tracker"]));
        EXPECT_DOUBLE_EQ(lr, double(row["lr"]));
      }
      for (const std::size_t k : {0, 1}) {
        EXPECT_FLOAT_EQ(one.values()[k], float(row["weight"][k]));
      }
    }
  }
}

TEST(GradScalerTrace, OfTwoOptimisersUpdatesOncePerIteration) {
  const nlohmann::json file = golden();
  GradScaler scaler(ProcessGroup(), options_of(file["options"]));
  std::vector<Trained> both{{.number = 0}, {.number = 1}};
  const std::vector<std::string> names{"factors", "factors_2"};
  for (std::size_t i = 0; i < file["two_optimizers"].size(); ++i) {
    SCOPED_TRACE(i);
    const nlohmann::json& row = file["two_optimizers"][i];
    at::Tensor loss;
    for (const std::size_t k : {0, 1}) {
      const double factor = std::stod(std::string(file[names[k]][i]));
      loss = k == 0 ? both[k].loss(factor) : loss + both[k].loss(factor);
    }
    scaler.scale(loss).backward();
    for (const std::size_t k : {0, 1}) {
      const StepVerdict verdict = both[k].step(scaler, 2, 0.1);
      EXPECT_EQ(verdict == StepVerdict::kSkip, bool(row["skipped"][k]));
    }
    for (const std::size_t k : {0, 1}) {
      both[k].zero_grad(scaler);
      EXPECT_FLOAT_EQ(both[k].values()[0], float(row["weights"][k][0]));
    }
    EXPECT_EQ(scaler.current_scale(), double(row["scale"]));
    EXPECT_EQ(
        scaler.state().growth_tracker, std::int64_t(row["growth_tracker"]));
  }
}

TEST_F(Scaler, MultipliesTheLossInFloat32) {
  const at::Tensor half = at::full({}, 60000.0, at::kHalf);
  const at::Tensor scaled = scaler_.scale(half);
  EXPECT_EQ(scaled.scalar_type(), at::kFloat);
  EXPECT_EQ(scaled.item<float>(), 480000); // infinite in half precision
  EXPECT_EQ(
      scaler_.scale(at::full({}, 1.0, at::kDouble)).scalar_type(), at::kDouble);
}

TEST_F(Scaler, UnscalesOnceHoweverOftenItIsAsked) {
  backward(0.5);
  EXPECT_EQ(gradient(), 4);
  scaler_.unscale(0, one_.parameters());
  scaler_.unscale(0, one_.parameters());
  EXPECT_EQ(gradient(), 0.5);
  EXPECT_EQ(step(), StepVerdict::kStep);
  scaler_.unscale(0, one_.parameters());
  EXPECT_EQ(gradient(), 0.5);
}

TEST_F(Scaler, RefusesToAddScaledGradientsToUnscaledOnes) {
  backward(0.5);
  scaler_.unscale(0, one_.parameters());
  backward(0.5);
  EXPECT_THAT(
      refusal([&] { scaler_.unscale(0, one_.parameters()); }),
      HasSubstr("unscaled before another backward added to them"));
  one_.zero_grad(scaler_);
  backward(0.25);
  scaler_.unscale(0, one_.parameters());
  EXPECT_EQ(gradient(), 0.25);
}

TEST_F(Scaler, LeavesGradientsAloneWhileTheyAccumulate) {
  GradientState state;
  const std::vector<OptimizerGradients> all{
      {.optimizer = 0, .parameters = one_.parameters()}};
  backward(0.5);
  state.set_sync_gradients(false);
  EXPECT_EQ(scaler_.unscale_when_complete(state, all), 8);
  EXPECT_EQ(gradient(), 4);
  backward(0.5);
  state.set_sync_gradients(true);
  EXPECT_EQ(scaler_.unscale_when_complete(state, all), 1);
  EXPECT_EQ(gradient(), 1);
}

TEST_F(Scaler, UpdatesBeforeTheNextLossWhenAnOptimiserSatOut) {
  backward(kInfinity);
  EXPECT_EQ(step(/*num_optimizers=*/2), StepVerdict::kSkip);
  EXPECT_EQ(scaler_.current_scale(), 8) << "the other one may still step";
  one_.zero_grad(scaler_);
  backward(0.5);
  EXPECT_EQ(scaler_.current_scale(), 4);
  EXPECT_EQ(gradient(), 2);
}

TEST_F(Scaler, UpdatesBeforeAnOptimiserStepsASecondTime) {
  backward(0.5);
  EXPECT_EQ(step(2), StepVerdict::kStep);
  EXPECT_EQ(step(2), StepVerdict::kStep);
  EXPECT_EQ(scaler_.state().growth_tracker, 0);
  EXPECT_EQ(scaler_.current_scale(), 16) << "two updates";
}

TEST_F(Scaler, GradientsAreDividedByTheScaleOfTheirBackward) {
  backward(0.5);
  scaler_.set_scale(1024);
  scaler_.unscale(0, one_.parameters());
  EXPECT_EQ(gradient(), 0.5);
}

TEST_F(Scaler, SkipsAgainWhileTheSameGradientsAreBad) {
  backward(std::nan(""));
  EXPECT_EQ(step(), StepVerdict::kSkip);
  EXPECT_EQ(step(), StepVerdict::kSkip);
  one_.zero_grad(scaler_);
  EXPECT_EQ(step(), StepVerdict::kStep) << "there is no gradient";
}

TEST_F(Scaler, NeverReachesZeroNorInfinity) {
  scaler_.set_scale(std::numeric_limits<float>::min());
  backward(kInfinity);
  EXPECT_EQ(step(), StepVerdict::kSkip);
  EXPECT_GT(scaler_.current_scale(), 0);
  scaler_.set_scale(std::numeric_limits<float>::max());
  for (int i = 0; i < 3; ++i) {
    one_.zero_grad(scaler_);
    backward(0);
    EXPECT_EQ(step(), StepVerdict::kStep);
  }
  EXPECT_EQ(scaler_.current_scale(), std::numeric_limits<float>::max());
}

TEST_F(Scaler, RefusesGradientsOfALossThatItDidNotScale) {
  one_.loss(0.5).backward();
  EXPECT_THAT(
      refusal([&] { (void)step(); }), HasSubstr("no loss was scaled yet"));
}

TEST_F(Scaler, RefusesGradientsInHalfPrecision) {
  const at::Tensor half = at::full({2}, 1.0, at::kHalf).requires_grad_();
  (void)scaler_.scale(at::full({}, 1.0));
  half.mutable_grad() = at::full({2}, 1.0, at::kHalf);
  EXPECT_THAT(
      refusal([&] { scaler_.unscale(1, {half}); }),
      HasSubstr("is in half precision"));
}

TEST_F(Scaler, FindsBadValuesOfSparseGradients) {
  const at::Tensor table = at::full({3, 2}, 1.0).requires_grad_();
  (void)scaler_.scale(at::full({}, 1.0));
  table.mutable_grad() = at::full({3, 2}, 16.0).to_sparse(1);
  scaler_.unscale(0, {table});
  EXPECT_EQ(table.grad().to_dense()[0][0].item<double>(), 2);
}

TEST_F(Scaler, StateGoesOnWhereItWas) {
  backward(0.5);
  EXPECT_EQ(step(/*num_optimizers=*/2), StepVerdict::kStep);
  const GradScalerState state = scaler_.state();
  EXPECT_EQ(state.growth_tracker, 1) << "an iteration that is not updated yet";
  GradScaler other{ProcessGroup()};
  other.load_state(state);
  EXPECT_EQ(other.current_scale(), 8);
  Trained again{.number = 0};
  other.scale(again.loss(1)).backward();
  EXPECT_EQ(again.step(other, 1, 0.1), StepVerdict::kStep);
  EXPECT_EQ(other.current_scale(), 16);
}

TEST_F(Scaler, RefusesValuesOutOfRange) {
  const auto message = [](const GradScalerOptions& options) {
    return refusal([&] { const GradScaler scaler(ProcessGroup(), options); });
  };
  for (const double bad : {0.0, -1.0, kInfinity, 1e39, std::nan("")}) {
    EXPECT_THAT(message({.init_scale = bad}), HasSubstr("init_scale is"));
    EXPECT_THAT(
        refusal([&] { scaler_.set_scale(bad); }), HasSubstr("scale is"));
  }
  EXPECT_THAT(message({.growth_factor = 1}), HasSubstr("growth_factor is 1"));
  EXPECT_THAT(message({.backoff_factor = 1}), HasSubstr("backoff_factor is 1"));
  EXPECT_THAT(message({.backoff_factor = 0}), HasSubstr("backoff_factor is 0"));
  EXPECT_THAT(
      message({.growth_interval = 0}), HasSubstr("growth_interval is 0"));
  GradScalerState state = scaler_.state();
  state.growth_tracker = -1;
  EXPECT_THAT(
      refusal([&] { scaler_.load_state(state); }),
      HasSubstr("_growth_tracker is -1"));
}

TEST(DisabledScaler, DoesNothing) {
  GradScaler scaler(ProcessGroup(), {.enabled = false});
  Trained one{.number = 0};
  const at::Tensor loss = one.loss(kInfinity);
  EXPECT_TRUE(scaler.scale(loss).is_same(loss));
  loss.backward();
  EXPECT_EQ(one.step(scaler, 1, 0.1), StepVerdict::kStep);
  EXPECT_EQ(scaler.current_scale(), 1);
}

} // namespace
} // namespace accelerate
