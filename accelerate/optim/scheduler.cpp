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
  int inner_steps = 1;

  void attach(std::shared_ptr<Optimizer> to, int steps) {
    ACCELERATE_CHECK(
        optimizer == nullptr,
        ConfigError,
        kWhere,
        "this schedule already has an optimiser");
    ACCELERATE_CHECK_INTERNAL(
        steps >= 1, kWhere, "bound with ", steps, " inner steps");
    optimizer = std::move(to);
    inner_steps = steps;
    initial_lr = optimizer->initial_learning_rates();
    apply();
  }

  void apply() {
    for (std::size_t group = 0; group < initial_lr.size(); ++group) {
      optimizer->set_learning_rate(
          group, schedule(step_count, initial_lr[group]));
    }
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
  state_->attach(std::move(optimizer), 1);
}

void Scheduler::bind(std::shared_ptr<Optimizer> optimizer, int inner_steps) {
  state_->attach(std::move(optimizer), inner_steps);
}

bool Scheduler::is_bound() const {
  return state_->optimizer != nullptr;
}

void Scheduler::step() {
  state_->check_bound();
  state_->step_count += state_->inner_steps;
  state_->apply();
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
