// tests/unit/optim/sgd_test.cpp
#include "accelerate/optim/sgd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include "config_error_of.h"
#include "golden.h"

namespace accelerate::optim {
namespace {

using testing::HasSubstr;

at::Tensor parameter() {
  return at::ones({3}).requires_grad_();
}

TEST(SGD, RejectsOptionsOutOfRangeWithNameValueAndRange) {
  const auto message = [](const SGDOptions& options) {
    return config_error_of([&] { SGD({parameter()}, options); });
  };
  EXPECT_THAT(message({.lr = -1}), HasSubstr("lr is -1, expected at least 0"));
  EXPECT_THAT(message({.momentum = -0.9}), HasSubstr("momentum is -0.9"));
  EXPECT_THAT(message({.weight_decay = -1}), HasSubstr("weight_decay is -1"));
  EXPECT_THAT(
      message({.nesterov = true}),
      HasSubstr("nesterov needs momentum above 0 and dampening 0"));
  EXPECT_THAT(
      message({.momentum = 0.9, .dampening = 0.1, .nesterov = true}),
      HasSubstr("got momentum 0.9 and dampening 0.1"));
}

TEST(SGD, EqualsTorchInPython) {
  expect_golden("SGD", [](std::vector<GoldenGroup> golden) {
    std::vector<ParamGroup<SGDOptions>> groups;
    for (GoldenGroup& group : golden) {
      const nlohmann::json& settings = group.settings;
      groups.push_back(
          {std::move(group.params),
           {.lr = settings["lr"],
            .momentum = settings.value("momentum", 0.0),
            .dampening = settings.value("dampening", 0.0),
            .weight_decay = settings.value("weight_decay", 0.0),
            .nesterov = settings.value("nesterov", false),
            .maximize = settings.value("maximize", false)}});
    }
    return std::make_unique<SGD>(std::move(groups));
  });
}

TEST(SGD, CountsAsSteppedOnceItUpdatedSomething) {
  const at::Tensor tensor = parameter();
  SGD optimizer({tensor}, {.lr = 0.5});
  optimizer.step();
  EXPECT_FALSE(optimizer.has_stepped());
  tensor.mutable_grad() = at::ones({3});
  optimizer.step();
  EXPECT_TRUE(optimizer.has_stepped());
  EXPECT_TRUE(tensor.equal(at::full({3}, 0.5)));
}

} // namespace
} // namespace accelerate::optim
