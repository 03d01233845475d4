// tests/unit/nested/batch_test.cpp
#include "accelerate/nested/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "accelerate/error.h"

namespace accelerate {
namespace {

TEST(Batch, KeepsTheOrderInWhichColumnsWereSet) {
  Batch batch{{"b", at::zeros({2})}, {"a", at::ones({2})}};
  batch.set("c", at::arange(2));
  batch.set("b", at::ones({2, 3}));
  std::vector<std::string> names;
  for (const auto& [name, tensor] : batch) {
    names.push_back(name);
  }
  EXPECT_THAT(names, testing::ElementsAre("b", "a", "c"));
  EXPECT_EQ(batch.at("b").dim(), 2);
}

TEST(Batch, NamesItsColumnsWhenOneIsMissing) {
  const Batch batch{{"input_ids", at::zeros({2})}};
  try {
    (void)batch.at("labels");
    FAIL() << "expected ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_THAT(
        error.what(),
        testing::AllOf(
            testing::HasSubstr("'labels'"), testing::HasSubstr("'input_ids'")));
  }
}

TEST(Batch, CountsSamplesInDimensionZeroOfItsFirstTensor) {
  EXPECT_EQ(Batch{}.num_samples(), 0);
  EXPECT_EQ((Batch{{"x", at::zeros({0, 3})}}).num_samples(), 0);
  EXPECT_EQ((Batch{{"x", at::zeros({5, 3})}}).num_samples(), 5);
}

} // namespace
} // namespace accelerate
