// tests/unit/step/gather_for_metrics_test.cpp: a world of one; tests/dist has
// the others.
#include "accelerate/step/gather_for_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include "accelerate/error.h"

namespace accelerate::step {
namespace {

class FixedLoader final : public ActiveLoader {
 public:
  explicit FixedLoader(std::int64_t valid) : valid_(valid) {}
  bool end_of_dataloader() const override {
    return true;
  }
  std::int64_t remainder() const override {
    return valid_;
  }
  std::int64_t valid_samples() const override {
    return valid_;
  }

 private:
  std::int64_t valid_;
};

class GatherForMetrics : public testing::Test {
 protected:
  void iterate(std::int64_t valid) {
    loader_ = std::make_shared<FixedLoader>(valid);
    state_.push_loader(loader_);
  }
  at::Tensor gathered(const at::Tensor& tensor) {
    return gather_for_metrics(group_, state_, tensor);
  }

  ProcessGroup group_;
  GradientState state_;
  std::shared_ptr<FixedLoader> loader_;
};

TEST_F(GatherForMetrics, KeepsAllRowsOutsideALoader) {
  EXPECT_TRUE(at::equal(gathered(at::arange(5)), at::arange(5)));
}

TEST_F(GatherForMetrics, DropsTheRepeatedSamplesOfTheBatch) {
  iterate(3);
  EXPECT_TRUE(at::equal(gathered(at::arange(5)), at::arange(3)));
}

TEST_F(GatherForMetrics, KeepsNothingOfABatchWithoutValidSamples) {
  iterate(0);
  EXPECT_EQ(gathered(at::ones({4, 2})).sizes(), (at::IntArrayRef{0, 2}));
}

TEST_F(GatherForMetrics, RefusesATensorWithoutASampleDimension) {
  EXPECT_THROW((void)gathered(at::ones({})), ConfigError);
}

TEST_F(GatherForMetrics, RefusesFewerRowsThanTheBatchHasSamples) {
  iterate(4);
  EXPECT_THROW((void)gathered(at::ones({3})), ConfigError);
}

TEST_F(GatherForMetrics, RefusesTensorsOfDifferentLengthInOneCall) {
  EXPECT_THROW(
      (void)gather_for_metrics(
          group_, state_, std::pair(at::ones({3}), at::ones({4}))),
      ConfigError);
}

} // namespace
} // namespace accelerate::step
