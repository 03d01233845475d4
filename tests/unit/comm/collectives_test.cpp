// tests/unit/comm/collectives_test.cpp: a world of one; tests/dist has the
// larger ones.
#include "accelerate/comm/collectives.h"

#include "accelerate/error.h"

#include <ATen/ATen.h>

#include <gtest/gtest.h>

namespace accelerate {
namespace {

TEST(Collectives, AWorldOfOneGivesTheSameTensorsWithoutHistory) {
  const ProcessGroup group;
  const at::Tensor value = at::arange(6.0).view({2, 3}).requires_grad_();
  const at::Tensor gathered = gather(group, value);
  EXPECT_TRUE(at::equal(gathered, value));
  EXPECT_FALSE(gathered.requires_grad());
  EXPECT_TRUE(at::equal(broadcast(group, value), value));
  EXPECT_TRUE(at::equal(pad_across_processes(group, value), value));
  for (const Reduction reduction :
       {Reduction::kSum, Reduction::kMean, Reduction::kMax}) {
    EXPECT_TRUE(at::equal(reduce(group, value, reduction), value));
  }
  barrier(group);
}

TEST(Collectives, GatherMakesAListOfANumberAlsoInAWorldOfOne) {
  EXPECT_EQ(gather(ProcessGroup(), at::ones({})).dim(), 1);
}

TEST(Collectives, ReduceNeverReturnsItsInput) {
  const at::Tensor value = at::ones({2});
  reduce(ProcessGroup(), value, Reduction::kSum).zero_();
  EXPECT_EQ(value.sum().item<float>(), 2);
}

TEST(Collectives, RefuseWhatTheyCannotDo) {
  const ProcessGroup group;
  const at::Tensor integers = at::zeros({2}, at::kLong);
  EXPECT_THROW((void)reduce(group, integers, Reduction::kMean), ConfigError);
  EXPECT_THROW((void)gather(group, at::ones({2}).to_sparse()), ConfigError);
  EXPECT_THROW((void)broadcast(group, integers, 1), ConfigError);
}

} // namespace
} // namespace accelerate
