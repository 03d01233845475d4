// tests/dist/engine_cases.h: what the files of engine_ranks share.
#pragma once

#include <functional>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

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

/// Column x: 0, 1, … count - 1.
inline Dataset numbers(std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return Dataset(
      Table(std::vector<Table::Entry>{{"x", Column::of(std::move(values))}}));
}

} // namespace accelerate::test
