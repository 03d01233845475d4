// tests/unit/nested/finite_test.cpp
#include "accelerate/nested/finite.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace accelerate {
namespace {

TEST(Finite, SeesEachBadValueAtEachPlace) {
  for (const auto type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    for (const std::int64_t size : {1, 2, 7, 64, 1000}) {
      at::Tensor values = at::ones({size}, type);
      EXPECT_TRUE(is_finite(values)) << type << " of " << size;
      for (const double bad :
           {double(NAN), double(INFINITY), -double(INFINITY)}) {
        for (const std::int64_t place : {std::int64_t{0}, size / 2, size - 1}) {
          at::Tensor one = values.clone();
          one[place] = bad;
          EXPECT_FALSE(is_finite(one)) << type << " of " << size;
        }
      }
    }
  }
}

TEST(Finite, TakesTheLargestNumbersAndDenormalsForFinite) {
  for (const float value :
       {std::numeric_limits<float>::max(),
        std::numeric_limits<float>::lowest(),
        std::numeric_limits<float>::denorm_min(),
        -0.0F}) {
    at::Tensor values = at::ones({100});
    values[50] = value;
    EXPECT_TRUE(is_finite(values)) << value;
  }
}

TEST(Finite, LooksAtViewsOnly) {
  at::Tensor values = at::ones({4, 6});
  values[0][1] = NAN;
  EXPECT_TRUE(is_finite(values.narrow(1, 2, 3))); // rows with gaps
  EXPECT_FALSE(is_finite(values.narrow(1, 1, 3)));
  EXPECT_FALSE(is_finite(values.t()));
}

TEST(Finite, TakesWhatCannotBeBadForFinite) {
  EXPECT_TRUE(is_finite(at::Tensor()));
  EXPECT_TRUE(is_finite(at::empty({0})));
  EXPECT_TRUE(is_finite(at::ones({3}, at::kLong)));
}

} // namespace
} // namespace accelerate
