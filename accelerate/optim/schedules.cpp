// accelerate/optim/schedules.cpp: one function for each schedule.
#include "accelerate/optim/schedules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "accelerate/error.h"

namespace accelerate {
namespace {

constexpr const char* kWhere = "optim.scheduler";

/// `part / whole` as the share of a phase that is over; a phase without steps
/// counts as one step.
double progress(std::int64_t part, std::int64_t whole) {
  return static_cast<double>(part) /
      static_cast<double>(std::max<std::int64_t>(1, whole));
}

std::int64_t required(
    const std::optional<std::int64_t>& count,
    std::string_view schedule,
    std::string_view option) {
  ACCELERATE_CHECK(
      count.has_value(),
      ConfigError,
      kWhere,
      "the schedule '",
      schedule,
      "' needs ",
      option);
  return *count;
}

std::int64_t training_steps(
    const SchedulerOptions& options,
    std::string_view name) {
  return required(options.num_training_steps, name, "num_training_steps");
}

/// A schedule of relative rates after a linear warm-up.
template <typename Relative>
ScheduleFunction after_warmup(std::int64_t warmup, Relative relative) {
  return [warmup, relative](std::int64_t step, double initial_lr) {
    return initial_lr *
        (step < warmup ? progress(step, warmup) : relative(step));
  };
}

ScheduleFunction constant(const SchedulerOptions& /*options*/) {
  return [](std::int64_t /*step*/, double initial_lr) { return initial_lr; };
}

ScheduleFunction constant_with_warmup(const SchedulerOptions& options) {
  return after_warmup(
      options.num_warmup_steps, [](std::int64_t /*step*/) { return 1.0; });
}

ScheduleFunction linear(const SchedulerOptions& options) {
  const std::int64_t total = training_steps(options, "linear");
  const std::int64_t warmup = options.num_warmup_steps;
  return after_warmup(warmup, [=](std::int64_t step) {
    return std::max(0.0, progress(total - step, total - warmup));
  });
}

ScheduleFunction cosine(const SchedulerOptions& options) {
  const std::int64_t total = training_steps(options, "cosine");
  const std::int64_t warmup = options.num_warmup_steps;
  const double cycles = options.num_cycles.value_or(0.5);
  return after_warmup(warmup, [=](std::int64_t step) {
    const double angle = std::numbers::pi * cycles * 2.0 *
        progress(step - warmup, total - warmup);
    return std::max(0.0, 0.5 * (1.0 + std::cos(angle)));
  });
}

ScheduleFunction cosine_with_restarts(const SchedulerOptions& options) {
  const std::int64_t total = training_steps(options, "cosine_with_restarts");
  const std::int64_t warmup = options.num_warmup_steps;
  const double cycles = options.num_cycles.value_or(1);
  return after_warmup(warmup, [=](std::int64_t step) {
    const double done = progress(step - warmup, total - warmup);
    if (done >= 1.0) {
      return 0.0;
    }
    const double angle = std::numbers::pi * std::fmod(cycles * done, 1.0);
    return std::max(0.0, 0.5 * (1.0 + std::cos(angle)));
  });
}

ScheduleFunction polynomial(const SchedulerOptions& options) {
  const std::int64_t total = training_steps(options, "polynomial");
  const std::int64_t warmup = options.num_warmup_steps;
  const double end = options.lr_end, power = options.power;
  return [=](std::int64_t step, double initial_lr) {
    ACCELERATE_CHECK(
        initial_lr > end,
        ConfigError,
        kWhere,
        "lr_end ",
        end,
        " is not below the initial learning rate ",
        initial_lr);
    if (step < warmup) {
      return initial_lr * progress(step, warmup);
    }
    if (step >= total) {
      return end;
    }
    const double left = 1 - progress(step - warmup, total - warmup);
    return (initial_lr - end) * std::pow(left, power) + end;
  };
}

ScheduleFunction inverse_sqrt(const SchedulerOptions& options) {
  constexpr std::int64_t kTimescaleWithoutWarmup = 10'000; // of transformers
  const std::int64_t warmup = options.num_warmup_steps;
  const std::int64_t timescale =
      options.timescale.value_or(warmup > 0 ? warmup : kTimescaleWithoutWarmup);
  ACCELERATE_CHECK(
      timescale > 0,
      ConfigError,
      kWhere,
      "timescale is ",
      timescale,
      ", expected at least 1");
  return after_warmup(warmup, [=](std::int64_t step) {
    return 1.0 / std::sqrt(progress(step + timescale - warmup, timescale));
  });
}

/// From 0 to 1 over the warm-up.
double rise(ScheduleShape shape, double done) {
  switch (shape) {
    case ScheduleShape::kLinear:
      return done;
    case ScheduleShape::kCosine:
      return 0.5 * (1.0 - std::cos(std::numbers::pi * done));
    default:
      return 1.0 - std::sqrt(1.0 - done);
  }
}

/// From 1 towards 0 over the decay.
double fall(ScheduleShape shape, double done, double cycles) {
  switch (shape) {
    case ScheduleShape::kLinear:
      return 1.0 - done;
    case ScheduleShape::kCosine:
      return 0.5 * (1.0 + std::cos(std::numbers::pi * cycles * 2.0 * done));
    default:
      return 1.0 - std::sqrt(done);
  }
}

ScheduleFunction warmup_stable_decay(const SchedulerOptions& options) {
  const std::int64_t warmup = options.num_warmup_steps;
  const std::int64_t decay = required(
      options.num_decay_steps, "warmup_stable_decay", "num_decay_steps");
  const std::int64_t stable = options.num_stable_steps
      ? *options.num_stable_steps
      : training_steps(options, "warmup_stable_decay") - warmup - decay;
  ACCELERATE_CHECK(
      stable >= 0,
      ConfigError,
      kWhere,
      "num_training_steps is ",
      stable + warmup + decay,
      ", expected at least num_warmup_steps + num_decay_steps = ",
      warmup,
      " + ",
      decay);
  const double least = options.min_lr_ratio;
  const double cycles = options.num_cycles.value_or(0.5);
  const auto lift = [least](double factor) {
    return std::max(0.0, factor * (1.0 - least) + least);
  };
  return [=, rising = options.warmup_shape, falling = options.decay_shape](
             std::int64_t step, double initial_lr) {
    double factor = least;
    if (step < warmup) {
      factor = lift(rise(rising, progress(step, warmup)));
    } else if (step < warmup + stable) {
      factor = 1.0;
    } else if (step < warmup + stable + decay) {
      factor =
          lift(fall(falling, progress(step - warmup - stable, decay), cycles));
    }
    return initial_lr * factor;
  };
}

using Maker = ScheduleFunction (*)(const SchedulerOptions&);
constexpr std::array<std::pair<std::string_view, Maker>, 8> kSchedules{{
    {"linear", linear},
    {"cosine", cosine},
    {"cosine_with_restarts", cosine_with_restarts},
    {"polynomial", polynomial},
    {"constant", constant},
    {"constant_with_warmup", constant_with_warmup},
    {"inverse_sqrt", inverse_sqrt},
    {"warmup_stable_decay", warmup_stable_decay},
}};

void check_counts(const SchedulerOptions& options) {
  const std::array<std::pair<std::string_view, std::int64_t>, 4> counts{{
      {"num_warmup_steps", options.num_warmup_steps},
      {"num_training_steps", options.num_training_steps.value_or(0)},
      {"num_stable_steps", options.num_stable_steps.value_or(0)},
      {"num_decay_steps", options.num_decay_steps.value_or(0)},
  }};
  for (const auto& [name, count] : counts) {
    ACCELERATE_CHECK(
        count >= 0,
        ConfigError,
        kWhere,
        name,
        " is ",
        count,
        ", expected at least 0");
  }
}

} // namespace

ScheduleFunction make_schedule(
    std::string_view name,
    const SchedulerOptions& options) {
  check_counts(options);
  std::string known;
  for (const auto& [schedule, make] : kSchedules) {
    if (schedule == name) {
      return make(options);
    }
    known += concat(known.empty() ? "" : ", ", schedule);
  }
  throw ConfigError(error_message(
      kWhere, concat("unknown schedule '", name, "'; expected ", known)));
}

} // namespace accelerate
