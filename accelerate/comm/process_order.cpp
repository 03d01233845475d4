// accelerate/comm/process_order.cpp
#include "accelerate/comm/process_order.h"

#include "accelerate/comm/agreement_impl.h"
#include "accelerate/error.h"

namespace accelerate {
namespace {

/// Tells the waiting ranks that the first ones are done, and how many failed.
std::int64_t report(const ProcessGroup& group, bool has_failed) {
  const auto failures = comm::agree(
      group,
      {.where = "comm.main_process_first",
       .description = "the end of the first part",
       .payload = has_failed ? 1 : 0});
  std::int64_t count = 0;
  for (const std::int64_t failure : failures) {
    count += failure;
  }
  return count;
}

} // namespace

void run_in_order(
    const ProcessGroup& group,
    ProcessOrder order,
    const std::function<void()>& work) {
  if (order == ProcessOrder::kFirst) {
    try {
      work();
    } catch (const std::exception&) {
      // The others wait: they have to hear of it before it goes on its way.
      report(group, /*has_failed=*/true);
      throw;
    }
  }
  const std::int64_t failed = report(group, /*has_failed=*/false);
  if (order == ProcessOrder::kAfter) {
    ACCELERATE_CHECK(
        failed == 0,
        CommError,
        "comm.main_process_first",
        failed,
        " of the processes that go first failed; their own errors say why");
    work();
  }
}

void main_process_first(
    const ProcessGroup& group,
    const std::function<void()>& work) {
  const bool is_main = group.global_rank() == 0;
  run_in_order(
      group, is_main ? ProcessOrder::kFirst : ProcessOrder::kAfter, work);
}

} // namespace accelerate
