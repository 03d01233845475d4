// tests/unit/models/close_tensors.h: how far two tensors are apart.
#pragma once

#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

namespace accelerate::models {

/// Success when shapes agree and max |a - b| <= tolerance (NaN fails).
inline testing::AssertionResult
close(const at::Tensor& a, const at::Tensor& b, double tolerance) {
  if (!a.defined() || !b.defined()) {
    return testing::AssertionFailure() << "undefined tensor";
  }
  if (a.sizes() != b.sizes()) {
    return testing::AssertionFailure()
        << "shapes " << a.sizes() << " and " << b.sizes();
  }
  if (a.numel() == 0) {
    return testing::AssertionSuccess();
  }
  const double worst = (a.detach().to(at::kDouble) - b.detach().to(at::kDouble))
                           .abs()
                           .max()
                           .item<double>();
  if (worst <= tolerance) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure()
      << "largest difference " << worst << ", allowed " << tolerance;
}

} // namespace accelerate::models
