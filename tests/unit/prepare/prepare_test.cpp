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

/// Remembers in which dtype its forward computed.
struct Observed : torch::nn::Module {
  Observed() {
    linear = register_module("linear", torch::nn::Linear(2, 1));
    const at::NoGradGuard no_grad;
    linear->weight.fill_(1);
    linear->bias.fill_(0);
  }
  at::Tensor forward(const at::Tensor& x) {
    const at::Tensor output = linear->forward(x);
    seen = output.scalar_type();
    return output;
  }
  torch::nn::Linear linear{nullptr};
  at::ScalarType seen = at::kDouble;
};

TEST(MixedPrecision, ForwardComputesLowAndReturnsFloat32) {
  for (const auto& [precision, dtype] : std::map<Precision, at::ScalarType>{
           {Precision::kNo, at::kFloat},
           {Precision::kFp16, at::kHalf},
           {Precision::kBf16, at::kBFloat16}}) {
    Accelerator accelerator({.mixed_precision = precision});
    Observed net;
    const auto model = accelerator.prepare(net);
    const at::Tensor output = model(at::ones({3, 2}));
    EXPECT_EQ(net.seen, dtype);
    EXPECT_EQ(output.scalar_type(), at::kFloat);
    EXPECT_EQ(net.forward(at::ones({3, 2})).scalar_type(), at::kFloat);
    EXPECT_EQ(accelerator.scaler() != nullptr, precision == Precision::kFp16);
  }
}

TEST(MixedPrecision, AutocastServesOtherComputationsAndCanBeSwitchedOff) {
  const Accelerator accelerator({.mixed_precision = Precision::kBf16});
  const at::Tensor a = at::ones({2, 2});
  const auto low = accelerator.autocast();
  EXPECT_EQ(a.mm(a).scalar_type(), at::kBFloat16);
  {
    const auto off = accelerator.autocast({.enabled = false});
    EXPECT_EQ(a.mm(a).scalar_type(), at::kFloat);
  }
  EXPECT_EQ(a.mm(a).scalar_type(), at::kBFloat16);
}

TEST(MixedPrecision, OptionSwitchesAutocastOffForForwards) {
  Accelerator accelerator(
      {.mixed_precision = Precision::kBf16, .autocast = {.enabled = false}});
  Observed net;
  (void)accelerator.prepare(net)(at::ones({3, 2}));
  EXPECT_EQ(net.seen, at::kFloat);
}

TEST(MixedPrecision, ClippingAndLookingAtGradientsSeeTheirTrueSize) {
  Accelerator accelerator(
      {.mixed_precision = Precision::kFp16, .gradient_accumulation_steps = 2});
  Observed net;
  auto [model, optimizer] =
      accelerator.prepare(net, SGD(net.parameters(), {.lr = 1}));
  const std::vector<at::Tensor> weight{net.linear->weight};
  for (int batch = 1; batch <= 4; ++batch) {
    const auto micro_batch = accelerator.accumulate(model);
    accelerator.backward(model(at::full({1, 2}, 0.5)).sum());
    // The second one is added to what was left of the first.
    const double sum = batch % 2 == 1 ? 0.25 : 0.375;
    const at::Tensor norm =
        accelerator.clip_grad_norm(weight, {.max_norm = 100});
    EXPECT_NEAR(norm.item<double>(), sum * std::sqrt(2), 1e-6) << batch;
    accelerator.unscale_gradients();
    accelerator.unscale_gradients(optimizer);
    accelerator.clip_grad_value(net.parameters(), sum / 2);
    const double scale = accelerator.sync_gradients() ? 1 : 65536;
    EXPECT_EQ(weight[0].grad()[0][0].item<double>() / scale, sum / 2);
    const double before = weight[0][0][0].item<double>();
    optimizer.step();
    EXPECT_EQ(
        weight[0][0][0].item<double>(),
        before - (accelerator.sync_gradients() ? sum / 2 : 0));
    optimizer.zero_grad();
  }
}

struct Opaque {
  at::Tensor inside;
};
struct Secretive : torch::nn::Module {
  Opaque forward(const at::Tensor& x) {
    return {x};
  }
};

TEST(MixedPrecision, OutputOfAnUnknownTypeIsRefused) {
  Accelerator accelerator({.mixed_precision = Precision::kBf16});
  Secretive net;
  const auto model = accelerator.prepare(net);
  EXPECT_THAT(
      refusal([&] { (void)model(at::ones({1})); }),
      HasSubstr("write visit_tensors() for it"));
}

TEST(MixedPrecision, OptionsAreCheckedAtTheStart) {
  EXPECT_THAT(
      refusal([] {
        const Accelerator accelerator({.grad_scaler = {.growth_factor = 0.5}});
      }),
      HasSubstr("growth_factor is 0.5, expected more than 1"));
}

} // namespace
} // namespace accelerate
