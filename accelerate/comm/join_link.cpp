// accelerate/comm/join_link.cpp
#include "accelerate/comm/join_link_impl.h"

#include "accelerate/comm/process_group_impl.h"
#include "accelerate/error.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <string>
#include <vector>

namespace accelerate::comm {
namespace {

constexpr std::string_view kWhere = "comm.join_uneven_inputs";
constexpr std::int64_t kNumel = 4;
static_assert(sizeof(Announcement) == kNumel * sizeof(std::int64_t));

std::string describe(const Announcement& step) {
  const std::string model = concat(" of model ", step.model);
  switch (step.step) {
    case JoinStep::kBucketOrder:
      return "the order of buckets" + model;
    case JoinStep::kBuffers:
      return "buffers" + model;
    case JoinStep::kBucket:
      return concat("bucket ", step.index, model);
    case JoinStep::kUsedParameters:
      return "which parameters were used" + model;
    case JoinStep::kCount:
      return "a number of items" + model;
  }
  return "nothing";
}

bool is_same(const Announcement& left, const Announcement& right) {
  return left.model == right.model && left.step == right.step &&
      left.index == right.index;
}

/// Of all ranks, in their order.
std::vector<Announcement> gather(
    const ProcessGroup& group,
    const Announcement& mine) {
  std::vector<Announcement> all(static_cast<std::size_t>(group.world_size()));
  run_transfer(group, kWhere, [&](Transport& transport) {
    at::Tensor input = at::empty({kNumel}, at::kLong);
    std::memcpy(input.data_ptr(), &mine, sizeof(mine));
    input = input.to(transport.control_device());
    const at::Tensor output =
        at::empty({kNumel * group.world_size()}, input.options());
    transport.all_gather(output, input);
    const at::Tensor on_cpu = output.to(at::kCPU);
    std::memcpy(all.data(), on_cpu.data_ptr(), all.size() * sizeof(mine));
  });
  return all;
}

} // namespace

Announcement JoinSession::exchange(const Announcement& mine) const {
  const std::vector<Announcement> all = gather(group_, mine);
  Announcement next;
  std::size_t first = 0;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank].num_active == 0) {
      continue;
    }
    if (next.num_active == 0) {
      next = all[rank];
      first = rank;
      continue;
    }
    ++next.num_active;
    ACCELERATE_CHECK(
        is_same(next, all[rank]),
        CommError,
        kWhere,
        "rank ",
        first,
        " is about to exchange ",
        describe(next),
        " and rank ",
        rank,
        " ",
        describe(all[rank]),
        "; ranks that still have data must run the same forwards and "
        "backwards");
  }
  return next;
}

void JoinSession::announce(Announcement mine) const {
  mine.num_active = 1;
  (void)exchange(mine);
}

Announcement JoinSession::await() const {
  return exchange({});
}

} // namespace accelerate::comm
