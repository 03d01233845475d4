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

TEST(GradientReducer, NoSyncGuardsCanBeMoved) {
  GradientReducer reducer(ProcessGroup(), {}, {});
  auto first = reducer.no_sync();
  auto second = std::move(first);
  first = reducer.no_sync();
  second = std::move(first);
}

} // namespace
} // namespace accelerate
