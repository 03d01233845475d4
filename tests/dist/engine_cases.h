// tests/dist/engine_cases.h: what the files of engine_ranks share.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <torch/nn/modules/linear.h>

#include "accelerate/accelerator.h"

namespace accelerate::test {

using EngineCases = std::map<std::string, std::function<void()>>;

/// Loaders and metrics through the Accelerator.
EngineCases engine_data_cases();
/// Windows of accumulation, items, ranks with unequal data, local steps.
EngineCases engine_step_cases();

inline void expect(bool condition, const std::string& what) {
  if (!condition) {
    throw std::runtime_error("expected: " + what);
  }
}

/// Up to the rounding of a few float32 sums.
inline bool close(double value, double expected) {
  return std::abs(value - expected) < 1e-6 * std::max(10.0, std::abs(expected));
}

/// A model of one weight, whose gradient is the mean of its input.
inline torch::nn::Linear one_weight() {
  return torch::nn::Linear(torch::nn::LinearOptions(1, 1).bias(false));
}

/// Column x: 0, 1, … count - 1.
inline Dataset numbers(std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return Dataset(
      Table(std::vector<Table::Entry>{{"x", Column::of(std::move(values))}}));
}

} // namespace accelerate::test
