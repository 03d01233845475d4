// self_test/checks.h: what the self-test compares; each function says what is
// wrong, or nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace accelerate::self_test {

/// @param ranks what the ranks say they are, in the order of the gather
/// @return empty when they are 0 to N - 1 in order
[[nodiscard]] std::string ranks_problem(
    const std::vector<std::int64_t>& ranks,
    int num_processes);

/// @param tolerance largest difference of an element
/// @return empty when shapes are equal and elements close
[[nodiscard]] std::string values_problem(
    const at::Tensor& got,
    const at::Tensor& expected,
    double tolerance);

/// @param seen all samples that the ranks together got, in any order
/// @param batches of each rank
/// @return empty when every sample was seen once, and all ranks had equally
///   many batches
[[nodiscard]] std::string sharding_problem(
    std::vector<std::int64_t> seen,
    const std::vector<std::int64_t>& batches,
    std::int64_t num_samples);

/// @param rows (ranks, values)
/// @return empty when all rows are equal, bit by bit
[[nodiscard]] std::string agreement_problem(const at::Tensor& rows);

} // namespace accelerate::self_test
