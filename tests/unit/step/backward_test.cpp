// tests/unit/step/backward_test.cpp
#include "accelerate/step/backward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include "accelerate/error.h"

namespace accelerate::step {
namespace {

using testing::HasSubstr;

std::string refusal(const at::Tensor& loss) {
  try {
    backward(ProcessGroup(), loss, {});
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Backward, GivesTheGradientOfAScalar) {
  const at::Tensor x = at::full({3}, 2.0).requires_grad_();
  backward(ProcessGroup(), x.square().sum(), {});
  EXPECT_TRUE(at::equal(x.grad(), at::full({3}, 4.0)));
}

TEST(Backward, ExplainsALossThatIsMissing) {
  EXPECT_THAT(refusal(at::Tensor()), HasSubstr("'labels'"));
}

TEST(Backward, ExplainsALossThatIsNoScalarAndShowsItsShape) {
  EXPECT_THAT(
      refusal(at::ones({2, 3}).requires_grad_()),
      testing::AllOf(HasSubstr("[2, 3]"), HasSubstr("mean()")));
}

TEST(Backward, ExplainsALossOfIntegers) {
  EXPECT_THAT(refusal(at::ones({}, at::kLong)), HasSubstr("Long"));
}

TEST(Backward, ExplainsALossThatNoParameterReaches) {
  EXPECT_THAT(refusal(at::ones({})), HasSubstr("not connected"));
}

} // namespace
} // namespace accelerate::step
