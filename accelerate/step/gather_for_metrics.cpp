// accelerate/step/gather_for_metrics.cpp: sizes first, then padded tensors,
// then the valid rows of each rank.
#include "accelerate/step/gather_for_metrics.h"

#include <algorithm>

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include "accelerate/comm/collectives.h"
#include "accelerate/error.h"

namespace accelerate::step {
namespace {

constexpr const char* kWhere = "step.gather_for_metrics";

/// Rows this rank has, and how many of them are valid.
struct RowCount {
  std::int64_t rows = 0;
  std::int64_t valid = 0;
};

RowCount count_rows(
    const std::vector<at::Tensor>& tensors,
    const GradientState& state) {
  RowCount count;
  for (const at::Tensor& tensor : tensors) {
    ACCELERATE_CHECK(
        tensor.dim() > 0,
        ConfigError,
        kWhere,
        "got a tensor without dimensions, expected the sample in dimension 0; "
        "use gather() or reduce() for values that are not per sample");
    ACCELERATE_CHECK(
        &tensor == &tensors.front() || tensor.size(0) == count.rows,
        ConfigError,
        kWhere,
        "tensors with ",
        count.rows,
        " and ",
        tensor.size(0),
        " samples in one call");
    count.rows = tensor.size(0);
  }
  const std::int64_t valid = state.valid_samples();
  ACCELERATE_CHECK(
      valid <= count.rows,
      ConfigError,
      kWhere,
      "got ",
      count.rows,
      " rows, but the batch of this rank has ",
      valid,
      " samples");
  count.valid = valid < 0 ? count.rows : valid;
  return count;
}

std::vector<RowCount> // [global_rank]
exchange_counts(const ProcessGroup& group, const RowCount& mine) {
  const std::vector<at::Tensor> gathered = comm::gather(
      group, {at::tensor({mine.rows, mine.valid}, at::kLong).unsqueeze(0)});
  std::vector<RowCount> counts;
  for (std::int64_t rank = 0; rank < gathered[0].size(0); ++rank) {
    counts.push_back(
        {gathered[0][rank][0].item<std::int64_t>(),
         gathered[0][rank][1].item<std::int64_t>()});
  }
  return counts;
}

/// The valid rows of each rank out of equally long blocks, one for each rank.
at::Tensor keep_valid(
    const at::Tensor& blocks,
    const std::vector<RowCount>& counts) {
  const std::int64_t block =
      blocks.size(0) / static_cast<std::int64_t>(counts.size());
  std::vector<at::Tensor> parts;
  for (std::size_t rank = 0; rank < counts.size(); ++rank) {
    parts.push_back(blocks.narrow(
        0, static_cast<std::int64_t>(rank) * block, counts[rank].valid));
  }
  return at::cat(parts);
}

} // namespace

std::vector<at::Tensor> gather_valid_rows(
    const ProcessGroup& group,
    const GradientState& state,
    const std::vector<at::Tensor>& tensors) {
  if (tensors.empty()) {
    return {};
  }
  const std::vector<RowCount> counts =
      exchange_counts(group, count_rows(tensors, state));
  const bool is_even =
      std::all_of(counts.begin(), counts.end(), [&](const RowCount& count) {
        return count.rows == counts.front().rows;
      });
  const std::vector<at::Tensor> gathered = comm::gather(
      group,
      is_even ? tensors : comm::pad_across_processes(group, tensors, {}));
  std::vector<at::Tensor> result;
  for (const at::Tensor& blocks : gathered) {
    result.push_back(keep_valid(blocks, counts));
  }
  return result;
}

} // namespace accelerate::step
