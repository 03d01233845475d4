// self_test/checks.cpp: what the self-test compares.
#include "self_test/checks.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>

#include "accelerate/error.h"

namespace accelerate::self_test {

std::string ranks_problem(
    const std::vector<std::int64_t>& ranks,
    int num_processes) {
  if (ranks.size() != static_cast<std::size_t>(num_processes)) {
    return concat(ranks.size(), " ranks answered, expected ", num_processes);
  }
  for (std::size_t place = 0; place < ranks.size(); ++place) {
    if (ranks[place] != static_cast<std::int64_t>(place)) {
      return concat(
          "place ", place, " of the gather holds rank ", ranks[place]);
    }
  }
  return "";
}

std::string values_problem(
    const at::Tensor& got,
    const at::Tensor& expected,
    double tolerance) {
  if (got.sizes() != expected.sizes()) {
    return concat("shape ", got.sizes(), ", expected ", expected.sizes());
  }
  if (got.numel() == 0) {
    return "";
  }
  const at::Tensor difference = (got.detach().cpu().to(at::kDouble) -
                                 expected.detach().cpu().to(at::kDouble))
                                    .abs()
                                    .flatten();
  const auto worst = difference.argmax().item<std::int64_t>();
  const auto value_at = [&](const at::Tensor& tensor) {
    return tensor.detach()
        .cpu()
        .to(at::kDouble)
        .flatten()[worst]
        .item<double>();
  };
  // A NaN is not within any tolerance.
  return difference[worst].item<double>() <= tolerance
      ? ""
      : concat(
            "element ",
            worst,
            " is ",
            value_at(got),
            ", expected ",
            value_at(expected));
}

std::string sharding_problem(
    std::vector<std::int64_t> seen,
    const std::vector<std::int64_t>& batches,
    std::int64_t num_samples) {
  for (std::size_t rank = 0; rank < batches.size(); ++rank) {
    if (batches[rank] != batches.front()) {
      return concat(
          "rank ",
          rank,
          " had ",
          batches[rank],
          " batches, rank 0 ",
          batches.front());
    }
  }
  std::sort(seen.begin(), seen.end());
  for (std::size_t place = 0; place < seen.size(); ++place) {
    const auto sample = static_cast<std::int64_t>(place);
    if (seen[place] != sample) {
      return seen[place] < sample
          ? concat("sample ", seen[place], " was seen twice")
          : concat("sample ", sample, " was not seen");
    }
  }
  return seen.size() == static_cast<std::size_t>(num_samples)
      ? ""
      : concat(seen.size(), " samples were seen, expected ", num_samples);
}

std::string agreement_problem(const at::Tensor& rows) {
  for (std::int64_t rank = 1; rank < rows.size(0); ++rank) {
    if (!at::equal(rows[rank], rows[0])) {
      return concat(
          "rank ",
          rank,
          " has ",
          rows[rank][0].item<double>(),
          " first, rank 0 ",
          rows[0][0].item<double>());
    }
  }
  return "";
}

} // namespace accelerate::self_test
