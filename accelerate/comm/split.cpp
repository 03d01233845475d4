// accelerate/comm/split.cpp
#include "accelerate/comm/split.h"

#include "accelerate/error.h"

#include <ATen/ops/cat.h>

#include <algorithm>

namespace accelerate {

Share share_of(
    const ProcessGroup& group,
    std::int64_t size,
    SplitPadding padding) {
  const std::int64_t world = group.world_size();
  const std::int64_t rank = group.global_rank();
  const std::int64_t base = size / world;
  const std::int64_t extra = size % world;
  const auto begin_of = [&](std::int64_t r) {
    return r * base + std::min(r, extra);
  };
  Share share{.begin = begin_of(rank), .end = begin_of(rank + 1)};
  if (padding == SplitPadding::kRepeatLast && size > 0) {
    const std::int64_t largest = base + (extra > 0 ? 1 : 0);
    share.padding = largest - (share.end - share.begin);
  }
  return share;
}

at::Tensor split_between_processes(
    const ProcessGroup& group,
    const at::Tensor& values,
    SplitPadding padding) {
  ACCELERATE_CHECK(
      values.dim() > 0,
      ConfigError,
      "comm.split_between_processes",
      "got a tensor without dimensions, expected samples on dimension 0");
  const Share share = share_of(group, values.size(0), padding);
  const at::Tensor part =
      values.narrow(0, share.begin, share.end - share.begin);
  if (share.padding == 0) {
    return part;
  }
  std::vector<std::int64_t> repeated = values.sizes().vec();
  repeated[0] = share.padding;
  return at::cat(
      {part, values.narrow(0, values.size(0) - 1, 1).expand(repeated)}, 0);
}

Batch split_between_processes(
    const ProcessGroup& group,
    const Batch& values,
    SplitPadding padding) {
  Batch part;
  for (const auto& [name, tensor] : values) {
    ACCELERATE_CHECK(
        tensor.dim() > 0 && tensor.size(0) == values.num_samples(),
        ConfigError,
        "comm.split_between_processes",
        "column '",
        name,
        "' has shape ",
        tensor.sizes(),
        ", expected ",
        values.num_samples(),
        " samples as in the first column");
    part.set(name, split_between_processes(group, tensor, padding));
  }
  return part;
}

} // namespace accelerate
