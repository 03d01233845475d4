// accelerate/optim/schedule_steps.h: how far a schedule moves when the training
// loop steps it.
#pragma once

namespace accelerate {

/// Where the loop is when it steps a schedule.
struct ScheduleStepState {
  int world_size = 1;
  /// Every batch of the user's loader is cut into one piece per rank.
  bool split_batches = false;
  /// The schedule follows the optimiser; otherwise it is the user's alone.
  bool step_with_optimizer = true;
  /// False while gradients accumulate, so that no optimiser steps.
  bool sync_gradients = true;
  /// An optimiser of the schedule left its last step out.
  bool any_optimizer_skipped = false;
};

/// Steps of the schedule in one call of its step(), for a schedule that was
/// written for the loader of one process: that has world_size batches for each
/// batch of a rank, unless batches are split.
/// Source: accelerate AcceleratedScheduler.step
[[nodiscard]] constexpr int schedule_steps(const ScheduleStepState& state) {
  if (!state.step_with_optimizer) {
    return 1;
  }
  if (!state.sync_gradients || state.any_optimizer_skipped) {
    return 0;
  }
  return state.split_batches ? 1 : state.world_size;
}

} // namespace accelerate
