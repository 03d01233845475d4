// accelerate/optim/scheduler.cpp: position and initial rates.
#include "accelerate/optim/scheduler.h"

#include "accelerate/error.h"

namespace accelerate {
namespace {

constexpr const char* kWhere = "optim.scheduler";

} // namespace

struct Scheduler::State {
  ScheduleFunction schedule;
  std::shared_ptr<Optimizer> optimizer; // null: unbound
  std::vector<double> initial_lr; // [group]
  std::int64_t step_count = 0;
  ScheduleStepState rule;
  std::shared_ptr<const GradientState> gradients; // null: always synchronise

  void attach(std::shared_ptr<Optimizer> to, const ScheduleStepState& by) {
    ACCELERATE_CHECK(
        optimizer == nullptr,
        ConfigError,
        kWhere,
        "this schedule already has an optimiser");
    optimizer = std::move(to);
    rule = by;
    initial_lr = optimizer->initial_learning_rates();
    apply();
  }

  void apply() {
    for (std::size_t group = 0; group < initial_lr.size(); ++group) {
      optimizer->set_learning_rate(
          group, schedule(step_count, initial_lr[group]));
    }
  }

  [[nodiscard]] int steps_now() const {
    ScheduleStepState now = rule;
    now.sync_gradients = !optimizer->is_accumulating() &&
        (gradients == nullptr || gradients->sync_gradients());
    now.any_optimizer_skipped = optimizer->step_was_skipped();
    return schedule_steps(now);
  }

  void check_bound() const {
    ACCELERATE_CHECK(
        optimizer != nullptr,
        ConfigError,
        kWhere,
        "this schedule has no optimiser; make it with get_scheduler(name, "
        "optimizer, options), or pass it to prepare() beside one");
  }
};

Scheduler::Scheduler(ScheduleFunction schedule)
    : state_(std::make_shared<State>()) {
  state_->schedule = std::move(schedule);
}

Scheduler::Scheduler(
    std::shared_ptr<Optimizer> optimizer,
    ScheduleFunction schedule)
    : Scheduler(std::move(schedule)) {
  state_->attach(std::move(optimizer), {});
}

void Scheduler::bind(
    std::shared_ptr<Optimizer> optimizer,
    const ScheduleStepState& rule) {
  state_->attach(std::move(optimizer), rule);
}

void Scheduler::follow(std::shared_ptr<const GradientState> gradients) {
  state_->gradients = std::move(gradients);
}

bool Scheduler::is_bound() const {
  return state_->optimizer != nullptr;
}

void Scheduler::step() {
  state_->check_bound();
  const int steps = state_->steps_now();
  if (steps > 0) {
    state_->step_count += steps;
    state_->apply();
  }
}

std::int64_t Scheduler::step_count() const {
  return state_->step_count;
}

std::vector<double> Scheduler::last_lr() const {
  state_->check_bound();
  std::vector<double> rates;
  for (std::size_t group = 0; group < state_->initial_lr.size(); ++group) {
    rates.push_back(state_->optimizer->learning_rate(group));
  }
  return rates;
}

void Scheduler::set_step_count(std::int64_t step_count) {
  ACCELERATE_CHECK(
      step_count >= 0,
      ConfigError,
      kWhere,
      "step count is ",
      step_count,
      ", expected at least 0");
  state_->step_count = step_count;
  if (is_bound()) {
    state_->apply();
  }
}

} // namespace accelerate
