// accelerate/accelerator.cpp: the façade's state: who am I, the group, and what
// was prepared.
#include "accelerate/accelerator.h"

#include <algorithm>
#include <mutex>

#include "accelerate/comm/debug_mode.h"
#include "accelerate/comm/trigger.h"
#include "accelerate/config/parse_number.h"
#include "accelerate/step/parameter_check.h"

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

DebugMode resolve_debug_mode(const AcceleratorOptions& options) {
  if (options.debug) {
    return *options.debug ? DebugMode::kOn : DebugMode::kOff;
  }
  return debug_mode_of();
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
  (void)resolve_precision(mixed_precision);
  grad_scaler.validate();
  GradientState().set_num_steps(resolve_accumulation(*this));
  (void)resolve_debug_mode(*this);
  ACCELERATE_CHECK(
      compare_parameters_every >= 0,
      ConfigError,
      "accelerator",
      "compare_parameters_every is ",
      compare_parameters_every,
      ", expected at least 0");
  ddp.validate();
}

struct Accelerator::Impl {
  explicit Impl(const AcceleratorOptions& given)
      : options(given),
        state(ProcessState::initialize({.cpu = given.cpu})),
        group(join_group(state, given)),
        precision(resolve_precision(given.mixed_precision)),
        gradients(std::make_shared<GradientState>()),
        guards(std::make_shared<StepGuards>()),
        registry(
            *group,
            {.device = state.device(),
             .loaders = given.dataloader,
             .ddp = given.ddp,
             .mixed_precision = precision,
             .autocast = given.autocast,
             .gradient_state = gradients,
             .guards = guards}) {
    check_precision(precision, state.device());
    gradients->set_num_steps(resolve_accumulation(given));
    if (precision == Precision::kFp16) {
      scaler = std::make_shared<GradScaler>(*group, given.grad_scaler);
      guards->add(scaler);
    }
    gradients->set_exact_last_window(given.exact_last_window);
    set_debug_mode(*group, resolve_debug_mode(given));
    add_checks(given);
  }

  /// After the guards that change gradients.
  void add_checks(const AcceleratorOptions& given) {
    // Handles of optimisers, and with them the guards, may outlive this.
    const step::Models models = [this, weak = std::weak_ptr<int>(alive)] {
      std::vector<std::shared_ptr<ModelCore>> list;
      if (!weak.expired()) {
        const auto known = registry.models();
        list.assign(known.begin(), known.end());
      }
      return list;
    };
    if (given.nonfinite_gradients != NonFiniteGradients::kOff) {
      gradient_guard = std::make_shared<step::GradientGuard>(
          *group, models, given.nonfinite_gradients);
      guards->add(gradient_guard);
    }
    if (given.compare_parameters_every > 0) {
      guards->add(std::make_shared<step::ParameterCheck>(
          *group, models, given.compare_parameters_every));
    }
  }

  AcceleratorOptions options;
  const ProcessState& state;
  std::shared_ptr<ProcessGroup> group;
  Precision precision;
  std::shared_ptr<GradientState> gradients;
  std::shared_ptr<StepGuards> guards;
  std::shared_ptr<GradScaler> scaler; // null unless fp16
  std::shared_ptr<step::GradientGuard> gradient_guard; // null: off
  std::shared_ptr<int> alive = std::make_shared<int>(0);
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
  return impl_->precision;
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
      options,
      impl_->scaler.get());
}

AutocastGuard Accelerator::autocast() const {
  return autocast(impl_->options.autocast);
}

AutocastGuard Accelerator::autocast(const AutocastOptions& options) const {
  return AutocastGuard(autocast_of(impl_->precision, device().type(), options));
}

GradScaler* Accelerator::scaler() {
  return impl_->scaler.get();
}

double Accelerator::unscale(
    const std::vector<const GatedOptimizer*>& optimizers) {
  if (impl_->scaler == nullptr) {
    return 1;
  }
  std::vector<OptimizerGradients> gradients;
  for (const GatedOptimizer* optimizer : optimizers) {
    gradients.push_back(
        {optimizer->gate().optimizer(), optimizer->parameters()});
  }
  return impl_->scaler->unscale_when_complete(*impl_->gradients, gradients);
}

double Accelerator::unscale_all() {
  std::vector<const GatedOptimizer*> all;
  for (const auto& optimizer : impl_->registry.optimizers()) {
    all.push_back(optimizer.get());
  }
  return unscale(all);
}

void Accelerator::unscale_gradients() {
  (void)unscale_all();
}

at::Tensor Accelerator::clip_grad_norm(
    const std::vector<at::Tensor>& parameters,
    const ClipOptions& options) {
  ClipOptions scaled = options;
  scaled.gradient_scale *= unscale_all();
  at::Tensor norm = step::clip_grad_norm(parameters, scaled);
  if (impl_->gradient_guard) {
    impl_->gradient_guard->note_norm(parameters, norm);
  }
  return norm;
}

void Accelerator::clip_grad_value(
    const std::vector<at::Tensor>& parameters,
    double clip_value) {
  step::clip_grad_value(parameters, clip_value * unscale_all());
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

step::UnevenInputs Accelerator::join(
    std::vector<std::shared_ptr<ModelCore>> models,
    const JoinOptions& options) {
  if (options.even_batches.value_or(impl_->options.dataloader.even_batches)) {
    models.clear();
  }
  return step::UnevenInputs(
      *impl_->group,
      std::move(models),
      impl_->registry.loaders(),
      options.even_batches);
}

prepare::Registry& Accelerator::registry() {
  return impl_->registry;
}

bool Accelerator::default_placement() const {
  return impl_->options.device_placement;
}

} // namespace accelerate
