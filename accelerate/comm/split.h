// accelerate/comm/split.h: divides a list, a batch or a tensor over the ranks.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/nested/batch.h"

namespace accelerate {

enum class SplitPadding {
  kNone, ///< shares may differ by one and may be empty
  kRepeatLast, ///< every share is as long as the largest; the input's last
               ///< element fills the shorter ones
};

/// Elements [begin, end) of the input, then `padding` times the input's last
/// element.
struct Share {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t padding = 0;
};

/// This rank's share of `size` elements: contiguous, and the first
/// (size mod world) ranks get one more.
/// Source: accelerate PartialState.split_between_processes
[[nodiscard]] ACCELERATE_API Share share_of(
    const ProcessGroup& group,
    std::int64_t size,
    SplitPadding padding = SplitPadding::kNone);

/// This rank's part of `values`. Not collective: every rank passes the same.
template <typename T>
[[nodiscard]] std::vector<T> split_between_processes(
    const ProcessGroup& group,
    const std::vector<T>& values,
    SplitPadding padding = SplitPadding::kNone) {
  const auto size = static_cast<std::int64_t>(values.size());
  const Share share = share_of(group, size, padding);
  std::vector<T> part(values.begin() + share.begin, values.begin() + share.end);
  for (std::int64_t i = 0; i < share.padding; ++i) {
    part.push_back(values.back());
  }
  return part;
}

/// Splits dimension 0; without padding the result is a view.
/// @throws ConfigError for a tensor without dimensions
[[nodiscard]] ACCELERATE_API at::Tensor split_between_processes(
    const ProcessGroup& group,
    const at::Tensor& values,
    SplitPadding padding = SplitPadding::kNone);

/// Splits dimension 0 of every column.
/// @throws ConfigError when columns have different lengths
[[nodiscard]] ACCELERATE_API Batch split_between_processes(
    const ProcessGroup& group,
    const Batch& values,
    SplitPadding padding = SplitPadding::kNone);

} // namespace accelerate
