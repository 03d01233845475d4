// tests/unit/optim/param_group_test.cpp
#include "accelerate/optim/param_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sparse_coo_tensor.h>
#include <ATen/ops/zeros.h>

#include "accelerate/optim/adam.h"
#include "accelerate/optim/sgd.h"
#include "config_error_of.h"

namespace accelerate::optim {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string message_for(const std::vector<at::Tensor>& parameters) {
  return config_error_of([&] { AdamW{parameters}; });
}

TEST(ParamGroup, RefusesWhatNoOptimiserCanUpdate) {
  const at::Tensor good = at::ones({2, 3}).requires_grad_();
  EXPECT_THAT(message_for({}), HasSubstr("got no parameters"));
  EXPECT_THAT(
      message_for({good, at::Tensor()}),
      HasSubstr("parameter 1 is an undefined"));
  EXPECT_THAT(
      message_for({at::ones({2}, at::kLong)}),
      AllOf(HasSubstr("dtype Long"), HasSubstr("floating leaf")));
  EXPECT_THAT(
      message_for({good * 2}), HasSubstr("is the result of an operation"));
}

TEST(ParamGroup, RefusesMemoryWithHolesOrSharedElements) {
  const at::Tensor wide = at::ones({4, 4});
  EXPECT_THAT(
      message_for({wide.narrow(1, 0, 2)}),
      AllOf(HasSubstr("parameter 0"), HasSubstr("contiguous")));
  EXPECT_THAT(
      message_for({at::ones({1, 4}).expand({4, 4})}), HasSubstr("contiguous"));
  EXPECT_EQ(message_for({wide.t()}), "no ConfigError");
}

TEST(ParamGroup, RefusesAParameterInTwoGroups) {
  const at::Tensor shared = at::ones({2, 3}).requires_grad_();
  const at::Tensor other = at::ones({2}).requires_grad_();
  EXPECT_THAT(
      config_error_of([&] {
        SGD({{{shared, other}, SGDOptions{}}, {{shared}, SGDOptions{}}});
      }),
      AllOf(HasSubstr("parameter 2 of shape [2, 3]"), HasSubstr("twice")));
}

TEST(ParamGroup, RefusesSparseGradients) {
  const at::Tensor table = at::ones({4, 2}).requires_grad_();
  table.mutable_grad() = at::sparse_coo_tensor(
      at::zeros({1, 1}, at::kLong), at::ones({1, 2}), {4, 2});
  AdamW adamw({table});
  SGD sgd({table});
  EXPECT_THAT(config_error_of([&] { adamw.step(); }), HasSubstr("is sparse"));
  EXPECT_THAT(config_error_of([&] { sgd.step(); }), HasSubstr("is sparse"));
}

} // namespace
} // namespace accelerate::optim
