// accelerate/accelerator.cpp: the façade's state: who am I, the group, and what
// was prepared.
#include "accelerate/accelerator.h"

#include <algorithm>
#include <mutex>

#include "accelerate/comm/trigger.h"
#include "accelerate/config/parse_number.h"

namespace accelerate {
namespace {

/// The group of this process, shared by all its Accelerators and dropped with
/// the last one.
std::shared_ptr<ProcessGroup> join_group(
    const ProcessState& state,
    const AcceleratorOptions& options) {
  static std::mutex mutex;
  static std::weak_ptr<ProcessGroup> joined;
  const std::lock_guard lock(mutex);
  std::shared_ptr<ProcessGroup> group = joined.lock();
  if (group == nullptr) {
    group = std::make_shared<ProcessGroup>(ProcessGroup::create(
        state.environment(),
        {.timeout = options.timeout, .device_type = state.device().type()}));
    joined = group;
  }
  return group;
}

Precision resolve_precision(const AcceleratorOptions& options) {
  if (options.mixed_precision) {
    return *options.mixed_precision;
  }
  const auto word = process_environment()("ACCELERATE_MIXED_PRECISION");
  return word && !word->empty() ? parse_precision(*word) : Precision::kNo;
}

/// The option, else the variable, else 1; not checked for its range.
int resolve_accumulation(const AcceleratorOptions& options) {
  constexpr const char* kVariable = "ACCELERATE_GRADIENT_ACCUMULATION_STEPS";
  if (options.gradient_accumulation_steps) {
    return *options.gradient_accumulation_steps;
  }
  const auto text = process_environment()(kVariable);
  if (!text || text->empty()) {
    return 1;
  }
  const auto steps = config::parse_number<int>(*text);
  ACCELERATE_CHECK(
      steps,
      ConfigError,
      "accelerator",
      kVariable,
      " is '",
      *text,
      "', expected a number of at least 1");
  return *steps;
}

} // namespace

void AcceleratorOptions::validate() const {
  const Precision precision = resolve_precision(*this);
  ACCELERATE_CHECK(
      precision == Precision::kNo,
      ConfigError,
      "accelerator",
      "mixed precision '",
      to_string(precision),
      "' is not supported yet; use 'no'");
  GradientState().set_num_steps(resolve_accumulation(*this));
  ddp.validate();
}

struct Accelerator::Impl {
  explicit Impl(const AcceleratorOptions& given)
      : options(given),
        state(ProcessState::initialize({.cpu = given.cpu})),
        group(join_group(state, given)),
        gradients(std::make_shared<GradientState>()),
        guards(std::make_shared<StepGuards>()),
        registry(
            *group,
            {.device = state.device(),
             .loaders = given.dataloader,
             .ddp = given.ddp,
             .gradient_state = gradients,
             .guards = guards}) {
    gradients->set_num_steps(resolve_accumulation(given));
  }

  AcceleratorOptions options;
  const ProcessState& state;
  std::shared_ptr<ProcessGroup> group;
  std::shared_ptr<GradientState> gradients;
  std::shared_ptr<StepGuards> guards;
  prepare::Registry registry;
  Trigger trigger;
};

Accelerator::Accelerator(const AcceleratorOptions& options) {
  options.validate();
  impl_ = std::make_unique<Impl>(options);
}

Accelerator::~Accelerator() = default;

c10::Device Accelerator::device() const {
  return impl_->state.device();
}

int Accelerator::num_processes() const {
  return impl_->state.world_size();
}

int Accelerator::process_index() const {
  return impl_->state.global_rank();
}

int Accelerator::local_process_index() const {
  return impl_->state.local_rank();
}

bool Accelerator::is_main_process() const {
  return impl_->state.is_main_process();
}

bool Accelerator::is_local_main_process() const {
  return impl_->state.is_local_main_process();
}

bool Accelerator::is_last_process() const {
  return impl_->state.is_last_process();
}

Precision Accelerator::mixed_precision() const {
  return resolve_precision(impl_->options);
}

const ProcessGroup& Accelerator::process_group() const {
  return *impl_->group;
}

const GradientState& Accelerator::gradient_state() const {
  return *impl_->gradients;
}

GradientState& Accelerator::gradient_state() {
  return *impl_->gradients;
}

void Accelerator::free_memory() {
  impl_->registry.clear();
}

void Accelerator::backward(
    const at::Tensor& loss,
    const BackwardOptions& options) {
  step::backward(
      *impl_->group,
      *impl_->gradients,
      loss,
      impl_->registry.models(),
      options);
}

bool Accelerator::optimizer_step_was_skipped() const {
  const auto optimizers = impl_->registry.optimizers();
  return std::any_of(optimizers.begin(), optimizers.end(), [](const auto& one) {
    return one->step_was_skipped();
  });
}

void Accelerator::add_step_guard(std::shared_ptr<StepGuard> guard) {
  impl_->guards->add(std::move(guard));
}

void Accelerator::wait_for_everyone() const {
  barrier(*impl_->group);
}

void Accelerator::set_trigger() {
  impl_->trigger.set();
}

bool Accelerator::check_trigger() {
  return impl_->trigger.check(*impl_->group);
}

ProgressBar Accelerator::progress(ProgressOptions options) const {
  options.enabled = options.enabled && is_main_process();
  return ProgressBar(options);
}

void Accelerator::end_training() {
  barrier(*impl_->group);
  impl_->group->shutdown();
}

prepare::Registry& Accelerator::registry() {
  return impl_->registry;
}

bool Accelerator::default_placement() const {
  return impl_->options.device_placement;
}

} // namespace accelerate
