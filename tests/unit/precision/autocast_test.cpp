// tests/unit/precision/autocast_test.cpp
#include "accelerate/precision/autocast.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include <ATen/autocast_mode.h>

namespace accelerate {
namespace {

namespace libtorch = at::autocast;

/// What libtorch says of the CPU on this thread.
struct State {
  bool enabled = libtorch::is_autocast_enabled(at::kCPU);
  at::ScalarType dtype = libtorch::get_autocast_dtype(at::kCPU);
  bool cache = libtorch::is_autocast_cache_enabled();

  bool operator==(const State&) const = default;
};

Autocast cpu(at::ScalarType dtype, const AutocastOptions& options = {}) {
  return {.device_type = at::kCPU, .dtype = dtype, .options = options};
}

at::ScalarType dtype_of_a_product() {
  const at::Tensor a = at::ones({2, 2});
  return a.mm(a).scalar_type();
}

class AutocastGuards : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(State(), outside_);
  }

 private:
  State outside_;
};

TEST_F(AutocastGuards, MakeOperationsComputeInTheirDtype) {
  for (const at::ScalarType dtype : {at::kHalf, at::kBFloat16}) {
    const AutocastGuard guard(cpu(dtype));
    EXPECT_EQ(dtype_of_a_product(), dtype);
  }
  EXPECT_EQ(dtype_of_a_product(), at::kFloat);
}

TEST_F(AutocastGuards, NestAndRestoreWhatIsOutside) {
  const AutocastGuard outer(cpu(at::kBFloat16, {.cache_enabled = false}));
  const State state_of_outer;
  EXPECT_FALSE(state_of_outer.cache);
  {
    const AutocastGuard off(cpu(at::kHalf, {.enabled = false}));
    EXPECT_EQ(dtype_of_a_product(), at::kFloat);
    EXPECT_FALSE(State().cache) << "unset: as outside";
    const AutocastGuard inner(cpu(at::kHalf, {.cache_enabled = true}));
    EXPECT_EQ(dtype_of_a_product(), at::kHalf);
    EXPECT_TRUE(State().cache);
  }
  EXPECT_EQ(State(), state_of_outer);
}

TEST_F(AutocastGuards, RestoreWhenAnExceptionLeavesThem) {
  const State outside;
  try {
    const AutocastGuard guard(cpu(at::kHalf));
    throw std::runtime_error("out");
  } catch (const std::runtime_error&) {
    EXPECT_EQ(State(), outside);
  }
}

TEST_F(AutocastGuards, LeaveOtherDevicesAlone) {
  const AutocastGuard guard(
      Autocast{.device_type = at::kCUDA, .dtype = at::kHalf});
  EXPECT_TRUE(libtorch::is_autocast_enabled(at::kCUDA));
  EXPECT_FALSE(libtorch::is_autocast_enabled(at::kCPU));
  EXPECT_EQ(dtype_of_a_product(), at::kFloat);
}

TEST_F(AutocastGuards, OutermostOneDropsTheWeightsThatWereCast) {
  const at::Tensor weight = at::ones({2, 2}).requires_grad_();
  const at::Tensor input = at::ones({2, 2});
  const auto product = [&] { return input.mm(weight).sum().item<float>(); };
  {
    const AutocastGuard outer(cpu(at::kBFloat16));
    EXPECT_EQ(product(), 8);
    {
      const at::NoGradGuard no_grad;
      weight.fill_(3); // behind the back of the cache
    }
    {
      const AutocastGuard inner(cpu(at::kBFloat16));
      EXPECT_EQ(product(), 8) << "the cast copy of the outer guard";
    }
    EXPECT_EQ(product(), 8) << "the inner guard dropped it";
  }
  const AutocastGuard next(cpu(at::kBFloat16));
  EXPECT_EQ(product(), 24) << "the outer guard kept it";
}

TEST_F(AutocastGuards, OfFullPrecisionDoNothing) {
  const State outside;
  const AutocastGuard guard(autocast_of(Precision::kNo, at::kCPU));
  EXPECT_EQ(State(), outside);
  EXPECT_EQ(autocast_of(Precision::kFp16, at::kCPU)->dtype, at::kHalf);
  EXPECT_EQ(autocast_of(Precision::kBf16, at::kCUDA)->dtype, at::kBFloat16);
  EXPECT_EQ(autocast_of(Precision::kBf16, at::kCUDA)->device_type, at::kCUDA);
}

TEST(FullPrecision, CastsHalfTensorsOfNestedValuesOnly) {
  const std::vector<at::Tensor> values{
      at::ones({2}, at::kHalf),
      at::ones({2}, at::kBFloat16).requires_grad_(),
      at::ones({2}, at::kDouble),
      at::ones({2}, at::kLong)};
  const std::vector<at::Tensor> cast = outputs_in_full_precision(values);
  EXPECT_EQ(cast[0].scalar_type(), at::kFloat);
  EXPECT_EQ(cast[1].scalar_type(), at::kFloat);
  EXPECT_TRUE(cast[1].requires_grad());
  EXPECT_TRUE(cast[2].is_same(values[2]));
  EXPECT_TRUE(cast[3].is_same(values[3]));
}

} // namespace
} // namespace accelerate
