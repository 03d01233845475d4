// tests/unit/self_test/checks_test.cpp: the checks find what is wrong.
#include "self_test/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

namespace accelerate::self_test {
namespace {

TEST(SelfTestChecks, FindWrongRanks) {
  EXPECT_EQ(ranks_problem({0, 1, 2}, 3), "");
  EXPECT_EQ(ranks_problem({0, 1}, 3), "2 ranks answered, expected 3");
  EXPECT_EQ(ranks_problem({0, 2, 1}, 3), "place 1 of the gather holds rank 2");
}

TEST(SelfTestChecks, FindWrongValues) {
  const at::Tensor zeros = at::zeros({2, 2});
  EXPECT_EQ(values_problem(zeros, zeros, 0), "");
  EXPECT_EQ(values_problem(zeros + 0.5, zeros, 0.5), "");
  at::Tensor wrong = zeros.clone();
  wrong[1][0] = 3;
  EXPECT_EQ(values_problem(wrong, zeros, 1), "element 2 is 3, expected 0");
  wrong[0][1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(values_problem(wrong, zeros, 1), "element 1 is nan, expected 0");
  EXPECT_EQ(
      values_problem(zeros, at::zeros({4}), 0), "shape [2, 2], expected [4]");
  EXPECT_EQ(values_problem(at::empty({0}), at::empty({0}), 0), "");
}

TEST(SelfTestChecks, FindWrongShards) {
  EXPECT_EQ(sharding_problem({2, 0, 1}, {1, 1}, 3), "");
  EXPECT_EQ(sharding_problem({0, 1, 1}, {1, 1}, 3), "sample 1 was seen twice");
  EXPECT_EQ(sharding_problem({0, 2}, {1, 1}, 3), "sample 1 was not seen");
  EXPECT_EQ(
      sharding_problem({0, 1}, {1, 1}, 3), "2 samples were seen, expected 3");
  EXPECT_EQ(
      sharding_problem({0, 1, 2}, {1, 2}, 3), "rank 1 had 2 batches, rank 0 1");
}

TEST(SelfTestChecks, FindRanksThatDisagree) {
  at::Tensor rows = at::full({3, 2}, 0.5);
  EXPECT_EQ(agreement_problem(rows), "");
  rows[2][0] = 0.25;
  EXPECT_EQ(agreement_problem(rows), "rank 2 has 0.25 first, rank 0 0.5");
}

} // namespace
} // namespace accelerate::self_test
