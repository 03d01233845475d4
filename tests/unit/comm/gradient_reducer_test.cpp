// tests/unit/comm/gradient_reducer_test.cpp: a world of one builds nothing.
#include "accelerate/comm/gradient_reducer.h"

#include "accelerate/error.h"

#include <ATen/ops/ones.h>

#include <gtest/gtest.h>

namespace accelerate {
namespace {

TEST(GradientReducer, RefusesABucketWithoutRoom) {
  for (const double size : {0.0, -1.0}) {
    EXPECT_THROW(
        DistributedDataParallelOptions{.bucket_cap_mb = size}.validate(),
        ConfigError);
  }
}

TEST(GradientReducer, AWorldOfOneNeedsNone) {
  const at::Tensor weight = at::ones({2}).requires_grad_();
  GradientReducer reducer(ProcessGroup(), {{"weight", weight}}, {});
  EXPECT_FALSE(reducer.is_active());
  reducer.before_forward();
  const at::Tensor loss = weight.sum();
  reducer.after_forward({loss});
  EXPECT_FALSE(reducer.is_armed());
  reducer.before_backward(loss);
  loss.backward();
  EXPECT_EQ(weight.grad().sum().item<float>(), 2);
}

TEST(GradientReducer, RefusesCompressionThatCannotBe) {
  using Options = DistributedDataParallelOptions;
  const PowerSgdOptions early{.start_power_sgd_iter = 1};
  PowerSgdOptions without_memory = early;
  without_memory.use_error_feedback = without_memory.warm_start = false;
  const std::vector<Options> wrong{
      {.comm_wrapper = CommHook::kFp16},
      {.comm_hook = CommHook::kBf16, .comm_wrapper = CommHook::kFp16},
      {.comm_hook = CommHook::kPowerSgd, .comm_wrapper = CommHook::kPowerSgd},
      {.comm_hook = CommHook::kPowerSgd, .power_sgd = early},
      {.comm_hook = CommHook::kBatchedPowerSgd,
       .power_sgd = {.matrix_approximation_rank = 0}},
      {.comm_hook = CommHook::kPowerSgd,
       .power_sgd = {.orthogonalization_epsilon = -1}}};
  for (const Options& options : wrong) {
    EXPECT_THROW(options.validate(), ConfigError);
  }
  Options({.comm_hook = CommHook::kPowerSgd,
           .comm_wrapper = CommHook::kBf16,
           .power_sgd = without_memory})
      .validate();
}

TEST(GradientReducer, NoSyncGuardsCanBeMoved) {
  GradientReducer reducer(ProcessGroup(), {}, {});
  auto first = reducer.no_sync();
  auto second = std::move(first);
  first = reducer.no_sync();
  second = std::move(first);
}

} // namespace
} // namespace accelerate
