// tests/unit/models/classification_loss_test.cpp
#include "accelerate/models/classification_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <string>
#include <vector>

#include "accelerate/error.h"

namespace accelerate::models {
namespace {

double loss(
    const at::Tensor& logits,
    const at::Tensor& labels,
    ProblemType type = ProblemType::kAuto) {
  return classification_loss(logits, labels, type).item<double>();
}

at::Tensor integers(std::vector<std::int64_t> values) {
  return at::tensor(values);
}

at::Tensor numbers(std::vector<double> values) {
  return at::tensor(values);
}

TEST(ClassificationLoss, RejectsLabelsThatDoNotFit) {
  const at::Tensor logits = at::zeros({2, 3});
  EXPECT_THROW(loss(logits, integers({0})), ConfigError);
  EXPECT_THROW(loss(logits, integers({0, 3})), ConfigError);
  EXPECT_THROW(loss(logits, integers({0, -1})), ConfigError);
  EXPECT_THROW(loss(logits, at::tensor(std::int64_t{1})), ConfigError);
  EXPECT_THROW(
      loss(logits, numbers({0, 1}), ProblemType::kSingleLabel), ConfigError);
  EXPECT_THROW(
      loss(logits, numbers({0, 1}), ProblemType::kMultiLabel), ConfigError);
  EXPECT_THROW(
      loss(logits, numbers({0, 1}), ProblemType::kRegression), ConfigError);
}

TEST(ClassificationLoss, SaysWhichLabelIsOutOfRange) {
  try {
    (void)loss(at::zeros({2, 3}), integers({0, 7}));
    FAIL() << "expected ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("label 1 is 7"));
  }
}

TEST(ClassificationLoss, ChoosesByLabelsWhenLeftToChoose) {
  // Zero logits: log(3) per class, log(2) per binary label, the mean square.
  EXPECT_NEAR(loss(at::zeros({2, 3}), integers({0, 2})), std::log(3.0), 1e-6);
  EXPECT_NEAR(loss(at::zeros({2, 2}), at::zeros({2, 2})), std::log(2.0), 1e-6);
  EXPECT_NEAR(loss(at::zeros({2, 1}), numbers({1, 3})), 5.0, 1e-6);
  EXPECT_NEAR(loss(at::zeros({2, 1}), integers({1, 3})), 5.0, 1e-6);
}

TEST(ClassificationLoss, LeavesOutLabelsOfMinusHundred) {
  const at::Tensor logits = numbers({5, 0, 0, 0}).reshape({2, 2});
  EXPECT_NEAR(loss(logits, integers({-100, 1})), std::log(2.0), 1e-6);
}

TEST(ClassificationLoss, TakesNarrowIntegers) {
  EXPECT_NEAR(
      loss(at::zeros({2, 4}), integers({0, 3}).to(at::kInt)),
      std::log(4.0),
      1e-6);
}

} // namespace
} // namespace accelerate::models
