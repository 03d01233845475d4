// accelerate/optim/scheduler.h: moves the learning rates of an optimiser along
// a schedule.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/optim/optimizer.h"
#include "accelerate/optim/schedule_steps.h"
#include "accelerate/optim/schedules.h"
#include "accelerate/state/gradient_state.h"

namespace accelerate {

/// A cheap, copyable handle; copies share the position. Making one sets the
/// learning rates of step 0.
class ACCELERATE_API Scheduler {
 public:
  /// Bound to no optimiser yet; Accelerator::prepare binds it to the one
  /// beside it. Then every step() counts one batch of the unsharded loader.
  explicit Scheduler(ScheduleFunction schedule);
  /// Bound: every step() counts one step of the optimiser.
  Scheduler(std::shared_ptr<Optimizer> optimizer, ScheduleFunction schedule);

  /// Binds an unbound schedule.
  /// @param rule how many steps of the schedule each step() makes, see
  ///   schedule_steps(); sync_gradients and any_optimizer_skipped are asked of
  ///   the optimiser
  /// @throws ConfigError when it is bound already.
  void bind(
      std::shared_ptr<Optimizer> optimizer,
      const ScheduleStepState& rule);
  /// From now on step() does nothing while `gradients` do not synchronise, also
  /// when the optimiser knows nothing of them.
  void follow(std::shared_ptr<const GradientState> gradients);
  [[nodiscard]] bool is_bound() const;

  /// Call it once after each optimizer.step(). Does nothing while gradients
  /// accumulate, and after a step that the optimiser skipped.
  /// @throws ConfigError when it is bound to no optimiser.
  void step();

  /// Steps of the schedule so far.
  [[nodiscard]] std::int64_t step_count() const;
  /// Learning rate of every group as set last.
  [[nodiscard]] std::vector<double> last_lr() const;

  /// Continues at a position, as after that many steps of the schedule.
  /// @param step_count at least 0
  void set_step_count(std::int64_t step_count);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// The named schedule over an optimiser of any kind, prepared or not. Its steps
/// are optimiser steps.
/// @throws ConfigError as make_schedule().
template <typename T>
requires requires(T& optimizer) {
  as_optimizer(optimizer);
}
[[nodiscard]] Scheduler get_scheduler(
    std::string_view name,
    T& optimizer,
    const SchedulerOptions& options = {}) {
  return Scheduler(as_optimizer(optimizer), make_schedule(name, options));
}

/// The named schedule without an optimiser, to be bound by prepare(). Its steps
/// are batches of the unsharded loader, as scripts for the Python library count
/// them.
[[nodiscard]] inline Scheduler get_scheduler(
    std::string_view name,
    const SchedulerOptions& options) {
  return Scheduler(make_schedule(name, options));
}

/// A schedule of the user's own: every group's initial rate times
/// `factor(steps so far)`.
/// Source: torch.optim.lr_scheduler.LambdaLR
template <typename T>
requires requires(T& optimizer) {
  as_optimizer(optimizer);
}
[[nodiscard]] Scheduler lambda_scheduler(
    T& optimizer,
    std::function<double(std::int64_t step)> factor) {
  return Scheduler(
      as_optimizer(optimizer),
      [factor = std::move(factor)](std::int64_t step, double initial_lr) {
        return initial_lr * factor(step);
      });
}

} // namespace accelerate
