// accelerate/optim/schedules.h: the named learning-rate schedules as functions
// of the step.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate {

/// How a phase of warmup_stable_decay bends.
enum class ScheduleShape { kLinear, kCosine, kOneMinusSqrt };

struct SchedulerOptions {
  /// Steps over which the rate rises from 0.
  std::int64_t num_warmup_steps = 0;
  /// All steps, warm-up included. Needed by linear, cosine,
  /// cosine_with_restarts and polynomial; by warmup_stable_decay unless
  /// num_stable_steps is given.
  std::optional<std::int64_t> num_training_steps = std::nullopt;
  /// cosine: waves, default 0.5, from the full rate to 0 once.
  /// cosine_with_restarts: restarts, default 1. warmup_stable_decay: 0.5.
  std::optional<double> num_cycles = std::nullopt;
  /// polynomial: the last rate, the same for every group.
  double lr_end = 1e-7;
  double power = 1.0; ///< polynomial
  std::optional<std::int64_t> timescale = std::nullopt; ///< inverse_sqrt
  std::optional<std::int64_t> num_stable_steps = std::nullopt;
  /// Needed by warmup_stable_decay.
  std::optional<std::int64_t> num_decay_steps = std::nullopt;
  double min_lr_ratio = 0; ///< warmup_stable_decay
  ScheduleShape warmup_shape = ScheduleShape::kLinear;
  ScheduleShape decay_shape = ScheduleShape::kCosine;
};

/// Learning rate of a group: a function of the steps done so far (from 0) and
/// of the rate the group was made with.
using ScheduleFunction =
    std::function<double(std::int64_t step, double initial_lr)>;

/// The schedule called `name`: linear, cosine, cosine_with_restarts,
/// polynomial, constant, constant_with_warmup, inverse_sqrt or
/// warmup_stable_decay.
/// @throws ConfigError for an unknown name (lists these), for a number that the
///   schedule needs and is not there, or for one out of range.
/// Source: transformers get_scheduler
[[nodiscard]] ACCELERATE_API ScheduleFunction
make_schedule(std::string_view name, const SchedulerOptions& options);

} // namespace accelerate
