// tests/unit/optim/optimizer_test.cpp: clearing gradients, and torch's
// optimisers through the interface.
#include "accelerate/optim/optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/sgd.h>

#include "accelerate/optim/adam.h"
#include "accelerate/optim/sgd.h"
#include "config_error_of.h"
#include "golden.h"

namespace accelerate::optim {
namespace {

using testing::HasSubstr;

at::Tensor parameter(std::int64_t size = 3) {
  return at::ones({size}).requires_grad_();
}

TEST(ZeroGradients, FreesGradientsAndZeroesThoseThatLiveInABucket) {
  const at::Tensor alone = parameter(2);
  const at::Tensor in_bucket = parameter(3);
  const at::Tensor without = parameter(4);
  const at::Tensor bucket = at::ones({8});
  alone.mutable_grad() = at::ones({2});
  in_bucket.mutable_grad() = bucket.narrow(0, 2, 3);
  zero_gradients({alone, in_bucket, without});
  EXPECT_FALSE(alone.grad().defined());
  EXPECT_FALSE(without.grad().defined());
  ASSERT_TRUE(in_bucket.grad().defined());
  EXPECT_EQ(in_bucket.grad().data_ptr<float>(), bucket.data_ptr<float>() + 2);
  EXPECT_TRUE(
      bucket.equal(at::tensor({1.F, 1.F, 0.F, 0.F, 0.F, 1.F, 1.F, 1.F})));
}

TEST(ZeroGradients, FreesGradientsThatBackwardMadeThroughViews) {
  const at::Tensor used = parameter(6);
  const at::Tensor row = used.reshape({2, 3}).t().reshape({6, 1}).select(1, 0);
  row.square().sum().backward();
  ASSERT_TRUE(used.grad().defined());
  zero_gradients({used});
  EXPECT_FALSE(used.grad().defined());
}

TEST(TorchOptimizer, ClearsGradientsThatLiveInABucket) {
  const at::Tensor tensor = parameter();
  const at::Tensor bucket = at::ones({3});
  tensor.mutable_grad() = bucket.narrow(0, 0, 3);
  torch::optim::SGD theirs({tensor}, 0.5);
  const auto ours = as_optimizer(theirs);
  ours->step();
  ours->zero_grad();
  EXPECT_TRUE(tensor.equal(at::ones({3}) * 0.5));
  EXPECT_TRUE(bucket.equal(at::zeros({3})));
}

TEST(TorchOptimizer, ClearsGradientsOfAGroupAddedLater) {
  const at::Tensor first = parameter();
  const at::Tensor later = parameter();
  torch::optim::SGD theirs({first}, 0.5);
  const auto ours = as_optimizer(theirs);
  ours->zero_grad();
  theirs.add_param_group(torch::optim::OptimizerParamGroup({later}));
  later.mutable_grad() = at::ones({3});
  ours->zero_grad();
  EXPECT_FALSE(later.grad().defined());
  EXPECT_EQ(ours->parameters().size(), 2);
}

TEST(TorchOptimizer, ReadsAndSetsLearningRatesByGroup) {
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(std::vector<at::Tensor>{parameter()});
  groups.emplace_back(
      std::vector<at::Tensor>{parameter()},
      std::make_unique<torch::optim::SGDOptions>(0.25));
  torch::optim::SGD theirs(std::move(groups), torch::optim::SGDOptions(0.5));
  const auto ours = as_optimizer(theirs);
  ASSERT_EQ(ours->num_groups(), 2);
  ours->set_learning_rate(1, 0.125);
  EXPECT_EQ(ours->learning_rate(0), 0.5);
  EXPECT_EQ(ours->learning_rate(1), 0.125);
  EXPECT_EQ(theirs.param_groups()[1].options().get_lr(), 0.125);
  EXPECT_THAT(
      config_error_of([&] { (void)ours->learning_rate(2); }),
      HasSubstr("parameter group 2 of an optimiser with 2"));
}

TEST(TorchOptimizer, HasSteppedAlsoWithoutStateOfItsOwn) {
  const at::Tensor tensor = parameter();
  torch::optim::SGD theirs({tensor}, 0.5);
  const auto ours = as_optimizer(theirs);
  EXPECT_FALSE(ours->has_stepped());
  tensor.mutable_grad() = at::ones({3});
  ours->step();
  EXPECT_TRUE(ours->has_stepped());
}

TEST(TorchOptimizer, RefusesLbfgsWithTheReason) {
  torch::optim::LBFGS theirs({parameter()});
  const auto ours = as_optimizer(theirs);
  EXPECT_THAT(config_error_of([&] { ours->step(); }), HasSubstr("closure"));
}

/// Twenty steps on equal gradients.
void expect_same_path(
    Optimizer& a,
    const at::Tensor& tensor_a,
    Optimizer& b,
    const at::Tensor& tensor_b) {
  for (int step = 1; step <= 20; ++step) {
    tensor_a.mutable_grad() = Stream(step).tensor({9});
    tensor_b.mutable_grad() = Stream(step).tensor({9});
    for (Optimizer* optimizer : {&a, &b}) {
      optimizer->step();
      optimizer->zero_grad();
    }
  }
  EXPECT_LE((tensor_a - tensor_b).abs().max().item().toDouble(), 5e-7);
}

TEST(TorchOptimizer, GoesTheSameWayAsOurOptimisers) {
  const at::Tensor ours_adam = parameter(9), theirs_adam = parameter(9);
  AdamW adamw({ours_adam}, {.lr = 0.05, .weight_decay = 0.1, .amsgrad = true});
  torch::optim::AdamW torch_adamw(
      {theirs_adam},
      torch::optim::AdamWOptions(0.05).weight_decay(0.1).amsgrad(true));
  expect_same_path(adamw, ours_adam, *as_optimizer(torch_adamw), theirs_adam);

  const at::Tensor ours_sgd = parameter(9), theirs_sgd = parameter(9);
  SGD sgd(
      {ours_sgd},
      {.lr = 0.05, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true});
  torch::optim::SGD torch_sgd(
      {theirs_sgd},
      torch::optim::SGDOptions(0.05).momentum(0.9).weight_decay(0.1).nesterov(
          true));
  expect_same_path(sgd, ours_sgd, *as_optimizer(torch_sgd), theirs_sgd);
}

TEST(AsOptimizer, RefersToOurOwnOptimiserItself) {
  AdamW optimizer({parameter()}, {.lr = 0.5});
  const std::shared_ptr<Optimizer> view = as_optimizer(optimizer);
  EXPECT_EQ(view.get(), &optimizer);
}

} // namespace
} // namespace accelerate::optim
