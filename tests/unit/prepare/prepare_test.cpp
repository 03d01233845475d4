// tests/unit/prepare/prepare_test.cpp: through the façade, in a world of one.
#include "accelerate/prepare/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/nn.h>
#include <torch/optim.h>

#include "accelerate/accelerate.h"

namespace accelerate {
namespace {

using testing::HasSubstr;

struct Plain : torch::nn::Module {
  Plain() {
    linear = register_module("linear", torch::nn::Linear(2, 1));
  }
  at::Tensor forward(const at::Tensor& x) {
    return linear->forward(x);
  }
  torch::nn::Linear linear{nullptr};
};

template <typename F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

DataLoader some_loader() {
  return DataLoader(
      Dataset(Table(std::vector<Table::Entry>{
          {"x", Column::of(std::vector<std::int64_t>{1, 2, 3})}})),
      {.batch_size = 2});
}

TEST(Prepare, ReturnsHandlesInTheOrderGivenWhateverTheTypes) {
  Accelerator accelerator;
  torch::nn::Linear net(2, 1);
  auto [loader, number, optimizer, model, text] = accelerator.prepare(
      some_loader(),
      7,
      AdamW(net->parameters(), {.lr = 0.5}),
      net,
      std::string("as it was"));
  static_assert(std::is_same_v<decltype(loader), DataLoader>);
  static_assert(std::is_same_v<decltype(number), int>);
  static_assert(
      std::is_same_v<decltype(model), PreparedModel<torch::nn::LinearImpl>>);
  static_assert(std::is_same_v<decltype(optimizer), PreparedOptimizer<AdamW>>);
  EXPECT_EQ(number, 7);
  EXPECT_EQ(text, "as it was");
  EXPECT_DOUBLE_EQ(optimizer.learning_rate(), 0.5);
}

TEST(Prepare, GivesASingleObjectBare) {
  Accelerator accelerator;
  torch::nn::Linear net(2, 1);
  auto model = accelerator.prepare(net);
  EXPECT_EQ(model.module(), net.ptr());
}

TEST(Prepare, PassesUnknownLvaluesThroughByReference) {
  Accelerator accelerator;
  std::vector<int> mine{1};
  auto& same = accelerator.prepare(mine);
  EXPECT_EQ(&same, &mine);
}

TEST(Prepare, ReferencesAPlainModuleThatIsAnLvalueAndOwnsATemporary) {
  Accelerator accelerator;
  Plain net;
  auto model = accelerator.prepare(net);
  EXPECT_EQ(&*model, &net);
  auto owned = accelerator.prepare(Plain());
  EXPECT_EQ(owned(at::ones({3, 2})).size(0), 3);
}

TEST(Prepare, TwiceGivesTheSameEngineSide) {
  Accelerator accelerator;
  torch::nn::Linear net(2, 1);
  auto first = accelerator.prepare(net);
  auto second = accelerator.prepare(net);
  auto third = accelerator.prepare(first);
  EXPECT_EQ(first.core(), second.core());
  EXPECT_EQ(first.core(), third.core());
}

TEST(Prepare, AnOptimiserMayBePreparedAgainAfterItStepped) {
  Accelerator accelerator;
  torch::nn::Linear net(2, 1);
  torch::optim::SGD sgd(net->parameters(), 0.1);
  auto [model, optimizer] = accelerator.prepare(net, sgd);
  accelerator.backward(model(at::ones({1, 2})).sum());
  optimizer.step();
  auto again = accelerator.prepare(optimizer);
  EXPECT_EQ(&*again, &sgd);
}

TEST(Prepare, RefusesAnOptimiserOfAnotherModel) {
  Accelerator accelerator;
  torch::nn::Linear net(2, 1), other(3, 1);
  EXPECT_THAT(
      refusal([&] {
        (void)accelerator.prepare(net, AdamW(other->parameters(), {.lr = 0.1}));
      }),
      testing::AllOf(HasSubstr("parameter 0"), HasSubstr("[1, 3]")));
}

TEST(Prepare, RefusesAnOptimiserWithoutAnyModel) {
  Accelerator accelerator;
  torch::nn::Linear net(2, 1);
  torch::optim::SGD sgd(net->parameters(), 0.1);
  EXPECT_THAT(
      refusal([&] { (void)accelerator.prepare(sgd); }),
      HasSubstr("none of the 0 prepared models"));
}

TEST(Prepare, RefusesAModelPreparedAfterItsOptimiserStepped) {
  Accelerator accelerator;
  torch::nn::Linear net(2, 1);
  torch::optim::Adam adam(net->parameters(), 0.1);
  net->forward(at::ones({1, 2})).sum().backward();
  adam.step();
  EXPECT_THAT(
      refusal([&] { (void)accelerator.prepare(net, adam); }),
      HasSubstr("already stepped"));
}

TEST(Prepare, RefusesAnEmptyHolder) {
  Accelerator accelerator;
  torch::nn::Linear empty{nullptr};
  EXPECT_THAT(
      refusal([&] { (void)accelerator.prepare(empty); }), HasSubstr("empty"));
}

TEST(Prepare, WantsOnePlacementForEachObject) {
  Accelerator accelerator;
  torch::nn::Linear net(2, 1);
  EXPECT_THAT(
      refusal([&] {
        (void)accelerator.prepare_with(
            {.device_placement_each = {true}}, net, some_loader());
      }),
      HasSubstr("1 entries for 2 objects"));
}

TEST(Prepare, BindsAScheduleMadeWithoutAnOptimiserToTheOneBesideIt) {
  Accelerator accelerator;
  torch::nn::Linear net(2, 1);
  auto [model, optimizer, schedule] = accelerator.prepare(
      net,
      AdamW(net->parameters(), {.lr = 1.0}),
      get_scheduler("linear", {.num_training_steps = 4}));
  optimizer.step();
  schedule.step();
  EXPECT_DOUBLE_EQ(optimizer.learning_rate(), 0.75);
}

TEST(Prepare, RefusesToGuessBetweenTwoOptimisers) {
  Accelerator accelerator;
  torch::nn::Linear net(2, 1), other(2, 1);
  EXPECT_THAT(
      refusal([&] {
        (void)accelerator.prepare(
            net,
            other,
            AdamW(net->parameters(), {.lr = 1.0}),
            AdamW(other->parameters(), {.lr = 1.0}),
            get_scheduler("linear", {.num_training_steps = 4}));
      }),
      HasSubstr("there are 2"));
}

TEST(Prepare, ExplainsALossOfABatchWithoutLabels) {
  Accelerator accelerator;
  EXPECT_THAT(
      refusal([&] { accelerator.backward(at::Tensor()); }),
      HasSubstr("labels"));
}

TEST(Prepare, AScheduleMadeBeforeWaitsWhileGradientsAccumulate) {
  Accelerator accelerator({.gradient_accumulation_steps = 2});
  torch::nn::Linear net(2, 1);
  torch::optim::SGD sgd(net->parameters(), 1.0);
  auto made = get_scheduler("linear", sgd, {.num_training_steps = 4});
  auto [model, optimizer, schedule] = accelerator.prepare(net, sgd, made);
  for (const double rate : {1.0, 0.75, 0.75, 0.5}) {
    const auto guard = accelerator.accumulate(model);
    optimizer.step();
    schedule.step();
    EXPECT_DOUBLE_EQ(optimizer.learning_rate(), rate);
  }
}

class AccumulationSteps : public testing::Test {
 protected:
  static constexpr const char* kVariable =
      "ACCELERATE_GRADIENT_ACCUMULATION_STEPS";
  ~AccumulationSteps() override {
    unsetenv(kVariable);
  }
  static int steps(const AcceleratorOptions& options = {}) {
    return Accelerator(options).gradient_state().num_steps();
  }
};

TEST_F(AccumulationSteps, AreTheOptionElseTheVariableElseOne) {
  EXPECT_EQ(steps(), 1);
  setenv(kVariable, "4", 1);
  EXPECT_EQ(steps(), 4);
  EXPECT_EQ(steps({.gradient_accumulation_steps = 3}), 3);
  EXPECT_EQ(steps({.gradient_accumulation_steps = 1}), 1);
  setenv(kVariable, "", 1);
  EXPECT_EQ(steps(), 1);
}

TEST_F(AccumulationSteps, RefuseWhatIsNoNumberOfAtLeastOne) {
  EXPECT_THAT(
      refusal([] { (void)steps({.gradient_accumulation_steps = 0}); }),
      HasSubstr("gradient_accumulation_steps is 0"));
  for (const char* bad : {"0", "-2", "two", "1.5", "99999999999"}) {
    setenv(kVariable, bad, 1);
    EXPECT_THAT(refusal([] { (void)steps(); }), HasSubstr("at least 1")) << bad;
  }
}

TEST(Prepare, RefusesAPrecisionThatIsNotSupportedYet) {
  EXPECT_THAT(
      refusal([] {
        const Accelerator accelerator({.mixed_precision = Precision::kBf16});
      }),
      HasSubstr("'bf16' is not supported yet"));
}

} // namespace
} // namespace accelerate
