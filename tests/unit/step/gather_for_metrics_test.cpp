// tests/unit/step/gather_for_metrics_test.cpp: a world of one; tests/dist has
// the others.
#include "accelerate/step/gather_for_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include "accelerate/error.h"

namespace accelerate::step {
namespace {

struct FixedLoader final : ActiveLoader {
  explicit FixedLoader(std::int64_t n) : valid(n) {}
  bool end_of_dataloader() const override {
    return is_at_end;
  }
  std::int64_t remainder() const override {
    return rest;
  }
  std::int64_t valid_samples() const override {
    return valid;
  }
  std::int64_t valid;
  std::int64_t rest = 1;
  bool is_at_end = true;
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

TEST_F(GatherForMetrics, TakesATensorWithoutDimensionsAsOneValueOfTheRank) {
  EXPECT_TRUE(at::equal(gathered(at::full({}, 7)), at::full({1}, 7)));
  for (const std::int64_t valid : {0, 1, 3}) {
    iterate(valid);
    EXPECT_TRUE(at::equal(gathered(at::full({}, 7)), at::full({1}, 7)));
  }
}

TEST_F(GatherForMetrics, KeepsATensorWithFewerRowsThanTheBatchHasSamples) {
  iterate(4);
  EXPECT_TRUE(at::equal(gathered(at::ones({3, 2})), at::ones({3, 2})));
  EXPECT_EQ(gathered(at::ones({0, 2})).sizes(), (at::IntArrayRef{0, 2}));
}

TEST_F(GatherForMetrics, KeepsMoreRowsThanSamplesInABatchWithoutRepetitions) {
  iterate(3);
  loader_->is_at_end = false; // one row for each word of 3 texts
  EXPECT_TRUE(at::equal(gathered(at::arange(12)), at::arange(12)));
  EXPECT_EQ(valid_rows(state_, 12), 12);
  loader_->is_at_end = true;
  loader_->rest = 0;
  EXPECT_TRUE(at::equal(gathered(at::arange(12)), at::arange(12)));
  EXPECT_EQ(valid_rows(state_, 12), 12);
  loader_->rest = -1; // one rank alone repeats nothing
  EXPECT_TRUE(at::equal(gathered(at::arange(12)), at::arange(12)));
}

TEST_F(GatherForMetrics, TakesTensorsOfDifferentLengthInOneCall) {
  iterate(3);
  const auto [rows, loss] = gather_for_metrics(
      group_, state_, std::pair(at::arange(4), at::arange(8)));
  EXPECT_TRUE(at::equal(rows, at::arange(3)));
  EXPECT_TRUE(at::equal(loss, at::arange(3)));
}

TEST_F(GatherForMetrics, DropsTheObjectsOfRepeatedSamples) {
  const std::vector<std::string> values{"{\"a\": \"\\n\"}", "2", "[]", "\"\""};
  EXPECT_EQ(gather_valid_json(group_, state_, values), values);
  EXPECT_TRUE(gather_valid_json(group_, state_, {}).empty());
  iterate(2);
  EXPECT_EQ(
      gather_valid_json(group_, state_, values),
      std::vector<std::string>(values.begin(), values.begin() + 2));
  EXPECT_EQ(
      gather_valid_json(group_, state_, {"1"}).size(), 1U); // fewer: one a rank
  EXPECT_THROW((void)gather_valid_json(group_, state_, {""}), ConfigError);
}

TEST_F(GatherForMetrics, GivesTensorsWithoutAHistory) {
  EXPECT_FALSE(gathered(at::ones({2}).requires_grad_()).requires_grad());
}

TEST_F(GatherForMetrics, TellsHowManyRowsOfThisRankCount) {
  EXPECT_EQ(valid_rows(state_, 5), 5);
  iterate(3);
  EXPECT_EQ(valid_rows(state_, 5), 3);
  EXPECT_EQ(valid_rows(state_, 2), 2);
  iterate(0);
  EXPECT_EQ(valid_rows(state_, 5), 0);
}

} // namespace
} // namespace accelerate::step
