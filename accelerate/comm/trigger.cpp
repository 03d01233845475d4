// accelerate/comm/trigger.cpp
#include "accelerate/comm/trigger.h"

#include "accelerate/comm/agreement_impl.h"

#include <algorithm>

namespace accelerate {

bool Trigger::check(const ProcessGroup& group) {
  const auto flags = comm::agree(
      group,
      {.where = "comm.check_trigger",
       .description = "a flag",
       .payload = raised_ ? 1 : 0});
  const bool any = *std::max_element(flags.begin(), flags.end()) > 0;
  if (any) {
    raised_ = false;
  }
  return any;
}

} // namespace accelerate
