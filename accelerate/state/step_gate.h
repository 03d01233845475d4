// accelerate/state/step_gate.h: whether an optimiser steps now: not while
// gradients accumulate, and not when a guard forbids it.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/state/gradient_state.h"
#include "accelerate/state/step_guard.h"

namespace accelerate {

/// The guards of one Accelerator, shared by the gates of its optimisers.
/// Thread-safety: guards are added before the training begins.
class ACCELERATE_API StepGuards {
 public:
  /// Guards are asked in the order of adding, until one says kSkip.
  void add(std::shared_ptr<StepGuard> guard);
  [[nodiscard]] bool empty() const {
    return guards_.empty();
  }

 private:
  friend class StepGate;

  std::vector<std::shared_ptr<StepGuard>> guards_;
  std::atomic<std::size_t> next_optimizer_ = 0;
  std::atomic<std::size_t> num_optimizers_ = 0;
};

/// One optimiser's gate. Its schedules wait for the same gate.
class ACCELERATE_API StepGate {
 public:
  /// @param gradients, guards never null
  StepGate(
      std::shared_ptr<const GradientState> gradients,
      std::shared_ptr<StepGuards> guards);
  ~StepGate();
  StepGate(const StepGate&) = delete;
  StepGate& operator=(const StepGate&) = delete;

  /// The optimiser's number, see StepRequest.
  [[nodiscard]] std::size_t optimizer() const {
    return optimizer_;
  }
  /// While it is, step() and zero_grad() of the optimiser do nothing.
  [[nodiscard]] bool is_accumulating() const {
    return !gradients_->sync_gradients();
  }
  /// Whether anyone looks at the parameters given to may_step().
  [[nodiscard]] bool has_guards() const {
    return !guards_->empty();
  }

  /// Asks whether the optimiser steps now, once for each step: false while
  /// gradients accumulate, and when a guard says so.
  /// Collective: when a guard exchanges its finding (see StepGuard).
  /// @param parameters of all groups of the optimiser; not looked at without
  ///   guards
  [[nodiscard]] bool may_step(const std::vector<at::Tensor>& parameters);

  /// Call it after gradients were cleared.
  void after_zero_grad();

  /// Whether a guard forbade the last step that was due.
  [[nodiscard]] bool step_was_skipped() const {
    return step_was_skipped_;
  }

 private:
  [[nodiscard]] StepVerdict ask(const std::vector<at::Tensor>& parameters);

  std::shared_ptr<const GradientState> gradients_;
  std::shared_ptr<StepGuards> guards_;
  std::size_t optimizer_;
  std::atomic<bool> step_was_skipped_ = false;
};

} // namespace accelerate
