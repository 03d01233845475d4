// tests/unit/optim/adam_test.cpp
#include "accelerate/optim/adam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include "config_error_of.h"
#include "golden.h"

namespace accelerate::optim {
namespace {

using testing::HasSubstr;

at::Tensor parameter(std::initializer_list<std::int64_t> shape = {3}) {
  return at::ones(at::IntArrayRef(shape)).requires_grad_();
}

template <typename Options>
Options options_of(const nlohmann::json& settings) {
  Options options;
  options.lr = settings.value("lr", options.lr);
  if (settings.contains("betas")) {
    options.beta1 = settings["betas"][0];
    options.beta2 = settings["betas"][1];
  }
  options.eps = settings.value("eps", options.eps);
  options.weight_decay = settings.value("weight_decay", options.weight_decay);
  options.amsgrad = settings.value("amsgrad", options.amsgrad);
  options.maximize = settings.value("maximize", options.maximize);
  return options;
}

template <typename Kind>
std::unique_ptr<Optimizer> make_ours(std::vector<GoldenGroup> golden) {
  std::vector<ParamGroup<typename Kind::Options>> groups;
  for (GoldenGroup& group : golden) {
    groups.push_back(
        {std::move(group.params),
         options_of<typename Kind::Options>(group.settings)});
  }
  return std::make_unique<Kind>(std::move(groups));
}

TEST(AdamW, RejectsOptionsOutOfRangeWithNameValueAndRange) {
  const auto message = [](const AdamWOptions& options) {
    return config_error_of([&] { AdamW({parameter()}, options); });
  };
  EXPECT_THAT(
      message({.lr = -0.5}), HasSubstr("lr is -0.5, expected at least 0"));
  EXPECT_THAT(
      message({.lr = std::numeric_limits<double>::quiet_NaN()}),
      HasSubstr("lr is nan"));
  EXPECT_THAT(message({.beta1 = 1}), HasSubstr("beta1 is 1, expected 0"));
  EXPECT_THAT(message({.beta2 = -0.1}), HasSubstr("beta2 is -0.1"));
  EXPECT_THAT(message({.eps = -1}), HasSubstr("eps is -1"));
  EXPECT_THAT(message({.weight_decay = -2}), HasSubstr("weight_decay is -2"));
  EXPECT_EQ(message({.lr = 0}), "no ConfigError");
}

TEST(AdamW, NamesTheGroupThatDoesNotExist) {
  AdamW optimizer({parameter()});
  EXPECT_THAT(
      config_error_of([&] { optimizer.set_learning_rate(1, 0.1); }),
      HasSubstr("parameter group 1 of an optimiser with 1"));
}

TEST(AdamW, EqualsTorchInPython) {
  expect_golden("AdamW", make_ours<AdamW>);
}

TEST(Adam, EqualsTorchInPython) {
  expect_golden("Adam", make_ours<Adam>);
}

TEST(AdamW, LeavesParametersWithoutGradientAlone) {
  const at::Tensor used = parameter();
  const at::Tensor unused = parameter();
  AdamW optimizer({used, unused}, {.lr = 0.1, .weight_decay = 0.5});
  EXPECT_FALSE(optimizer.has_stepped());
  optimizer.step();
  EXPECT_FALSE(optimizer.has_stepped());
  used.mutable_grad() = at::ones({3});
  optimizer.step();
  EXPECT_TRUE(optimizer.has_stepped());
  EXPECT_TRUE(unused.equal(at::ones({3})));
  EXPECT_FALSE(used.equal(at::ones({3})));
}

TEST(AdamW, UpdatesParametersOfSeveralDtypesInOneGroup) {
  const at::Tensor single = parameter();
  const at::Tensor twice = at::ones({3}, at::kDouble).requires_grad_();
  AdamW optimizer({single, twice}, {.lr = 0.1, .weight_decay = 0});
  single.mutable_grad() = at::ones({3});
  twice.mutable_grad() = at::ones({3}, at::kDouble);
  optimizer.step();
  // The first step of Adam is lr against the sign of the gradient.
  EXPECT_TRUE(single.allclose(at::full({3}, 0.9)));
  EXPECT_TRUE(twice.allclose(at::full({3}, 0.9, at::kDouble)));
}

TEST(AdamW, TakesAGradientWhoseMemoryIsLaidOutOtherwise) {
  const at::Tensor plain = parameter({2, 3});
  const at::Tensor turned = parameter({2, 3});
  const at::Tensor gradient =
      at::tensor({1.F, 2.F, 3.F, 4.F, -5.F, 6.F}).reshape({2, 3});
  AdamW first({plain}, {.lr = 0.1});
  AdamW second({turned}, {.lr = 0.1});
  plain.mutable_grad() = gradient;
  turned.mutable_grad() = gradient.t().contiguous().t();
  first.step();
  second.step();
  EXPECT_TRUE(plain.equal(turned));
}

TEST(AdamW, FollowsItsLearningRateGroupByGroup) {
  const at::Tensor a = parameter();
  const at::Tensor b = parameter();
  AdamW optimizer(
      {{{a}, {.lr = 0.1, .weight_decay = 0}},
       {{b}, {.lr = 0.2, .weight_decay = 0}}});
  ASSERT_EQ(optimizer.num_groups(), 2);
  EXPECT_EQ(optimizer.learning_rate(0), 0.1);
  EXPECT_EQ(optimizer.learning_rate(1), 0.2);
  optimizer.set_learning_rate(1, 0);
  a.mutable_grad() = at::ones({3});
  b.mutable_grad() = at::ones({3});
  optimizer.step();
  EXPECT_TRUE(a.allclose(at::full({3}, 0.9)));
  EXPECT_TRUE(b.equal(at::ones({3})));
}

TEST(AdamW, GoesOnAfterAMove) {
  const at::Tensor moved = parameter();
  const at::Tensor kept = parameter();
  AdamW first({moved}, {.lr = 0.1});
  AdamW other({kept}, {.lr = 0.1});
  for (const at::Tensor& tensor : {moved, kept}) {
    tensor.mutable_grad() = at::ones({3});
  }
  first.step();
  other.step();
  AdamW second = std::move(first);
  EXPECT_TRUE(second.has_stepped());
  second.step();
  other.step();
  EXPECT_TRUE(moved.equal(kept));
}

} // namespace
} // namespace accelerate::optim
