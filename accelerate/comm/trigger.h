// accelerate/comm/trigger.h: one rank raises a flag, all ranks see it: early
// stopping that every rank agrees on.
#pragma once

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"

namespace accelerate {

/// Source: accelerate Accelerator.set_trigger, check_trigger
class ACCELERATE_API Trigger {
 public:
  /// Raises the flag of this rank. Not collective.
  void set() {
    raised_ = true;
  }

  /// Collective. Blocking. True on every rank when any rank has raised its flag
  /// since the last check that was true; then lowers all flags.
  /// @throws CommError when a rank is in another collective, gone or late
  [[nodiscard]] bool check(const ProcessGroup& group);

 private:
  bool raised_ = false;
};

} // namespace accelerate
