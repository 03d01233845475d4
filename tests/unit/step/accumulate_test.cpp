// tests/unit/step/accumulate_test.cpp: the sequence of the flag; gradients of
// several ranks are in tests/dist.
#include "accelerate/step/accumulate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ATen.h>

namespace accelerate::step {
namespace {

using testing::ElementsAre;

struct Loader final : ActiveLoader {
  bool end_of_dataloader() const override {
    return is_last;
  }
  std::int64_t remainder() const override {
    return 0;
  }
  std::int64_t valid_samples() const override {
    return -1;
  }
  std::int64_t batch_index() const override {
    return index;
  }
  bool is_last = false;
  std::int64_t index = -1;
};

/// The flag in each of the batches of some epochs of 5.
std::vector<int> flags(GradientState& state, int epochs) {
  const auto loader = std::make_shared<Loader>();
  state.push_loader(loader);
  std::vector<int> result;
  for (int batch = 1; batch <= 5 * epochs; ++batch) {
    loader->is_last = batch % 5 == 0;
    const bool syncs = begin_accumulation(state);
    EXPECT_EQ(syncs, state.sync_gradients());
    result.push_back(syncs ? 1 : 0);
  }
  return result;
}

TEST(BeginAccumulation, EndsWithTheLoaderAndStartsAgain) {
  GradientState state;
  state.set_num_steps(2);
  EXPECT_THAT(flags(state, 2), ElementsAre(0, 1, 0, 1, 1, 0, 1, 0, 1, 1));
  EXPECT_EQ(state.step(), 0);
}

TEST(BeginAccumulation, GoesOnAcrossLoadersWhenAsked) {
  GradientState state;
  state.set_num_steps(2);
  state.set_sync_with_dataloader(false);
  EXPECT_THAT(flags(state, 2), ElementsAre(0, 1, 0, 1, 0, 1, 0, 1, 0, 1));
  EXPECT_EQ(state.step(), 10);
}

TEST(BeginAccumulation, OfOneStepAlwaysSynchronises) {
  GradientState state;
  EXPECT_THAT(flags(state, 1), ElementsAre(1, 1, 1, 1, 1));
}

TEST(BeginAccumulation, OfMoreStepsThanBatchesSynchronisesAtTheEnd) {
  GradientState state;
  state.set_num_steps(7);
  EXPECT_THAT(flags(state, 2), ElementsAre(0, 0, 0, 0, 1, 0, 0, 0, 0, 1));
}

TEST(BeginAccumulation, CountsOutsideALoader) {
  GradientState state;
  state.set_num_steps(3);
  std::vector<int> result;
  for (int step = 0; step < 7; ++step) {
    result.push_back(begin_accumulation(state) ? 1 : 0);
  }
  EXPECT_THAT(result, ElementsAre(0, 0, 1, 0, 0, 1, 0));
}

/// The flag in passes over a loader whose batches have some parts each.
std::vector<int> flags_of_parts(const std::vector<int>& parts, int num_steps) {
  GradientState state;
  state.set_num_steps(num_steps);
  const auto loader = std::make_shared<Loader>();
  state.push_loader(loader);
  std::vector<int> result;
  for (std::size_t batch = 0; batch < parts.size(); ++batch) {
    loader->index = static_cast<std::int64_t>(batch);
    loader->is_last = batch + 1 == parts.size();
    for (int part = 0; part < parts[batch]; ++part) {
      result.push_back(begin_accumulation(state) ? 1 : 0);
    }
  }
  return result;
}

TEST(BeginAccumulation, EndsWithTheLastPartOfTheLastBatch) {
  EXPECT_THAT(flags_of_parts({2, 2, 2}, 4), ElementsAre(0, 0, 0, 1, 0, 1));
  EXPECT_THAT(flags_of_parts({3, 3}, 3), ElementsAre(0, 0, 1, 0, 0, 1));
  EXPECT_THAT(flags_of_parts({1, 1, 1}, 2), ElementsAre(0, 1, 1));
}

TEST(BeginAccumulation, OfALastBatchWithMorePartsEndsWithEachOfThose) {
  EXPECT_THAT(flags_of_parts({2, 3}, 9), ElementsAre(0, 0, 0, 1, 1));
}

TEST(BeginAccumulation, OfALastBatchWithFewerPartsGoesOn) {
  EXPECT_THAT(flags_of_parts({3, 2}, 9), ElementsAre(0, 0, 0, 0, 0));
}

TEST(BeginAccumulation, OfOneBatchEndsWithEachPart) {
  EXPECT_THAT(flags_of_parts({2}, 9), ElementsAre(1, 1));
}

TEST(BeginAccumulation, CountsEachWindowByItself) {
  GradientState state;
  state.set_num_steps(2);
  AccumulationWindow one, other;
  std::vector<int> result;
  for (int micro = 0; micro < 4; ++micro) {
    for (AccumulationWindow* window : {&one, &other}) {
      result.push_back(begin_accumulation(state, *window) ? 1 : 0);
    }
  }
  EXPECT_THAT(result, ElementsAre(0, 0, 1, 1, 0, 0, 1, 1));
}

std::shared_ptr<ModelCore> core_of(const at::Tensor& parameter) {
  return std::make_shared<ModelCore>(
      ModelTensors{{{"a", parameter}, {"tied", parameter}}, {}},
      ProcessGroup(),
      DistributedDataParallelOptions());
}

/// The gradient after a window of `length` of 4 micro-batches, each of which
/// adds 1 before it is divided.
double short_window(std::int64_t length, bool exact, bool names_model) {
  GradientState state;
  state.set_num_steps(4);
  state.set_exact_last_window(exact);
  const auto loader = std::make_shared<Loader>();
  state.push_loader(loader);
  const at::Tensor parameter = at::zeros({}).requires_grad_();
  const std::vector prepared{core_of(parameter)};
  for (std::int64_t micro = 1; micro <= length; ++micro) {
    loader->is_last = micro == length;
    const Accumulate guard(
        state, names_model ? prepared : decltype(prepared)(), prepared);
    (parameter / state.loss_divisor()).backward();
  }
  EXPECT_EQ(state.loss_divisor(), 4) << "after the window";
  return parameter.grad().item<double>();
}

TEST(Accumulate, DividesAShortLastWindowByItsLengthWhenAsked) {
  for (const bool names_model : {true, false}) {
    for (const std::int64_t length : {1, 2, 3, 4}) {
      EXPECT_DOUBLE_EQ(short_window(length, true, names_model), 1);
      EXPECT_DOUBLE_EQ(
          short_window(length, false, names_model),
          static_cast<double>(length) / 4);
    }
  }
}

} // namespace
} // namespace accelerate::step
