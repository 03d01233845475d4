// accelerate/precision/grad_scaler.cpp: the factor lives on the host, where the
// decision over a step is made anyway; only findings live on devices.
#include "accelerate/precision/grad_scaler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/full.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/zeros.h>

#include "accelerate/comm/collectives.h"
#include "accelerate/error.h"
#include "accelerate/precision/autocast.h"

namespace accelerate {
namespace {

constexpr const char* kWhere = "precision.grad_scaler";

/// The factor is a float32, as losses are, so that both doors and torch go
/// through the same values.
double rounded(double scale) {
  return static_cast<double>(static_cast<float>(scale));
}

void check_factor(
    const char* name,
    double value,
    bool is_valid,
    const char* expected) {
  ACCELERATE_CHECK(
      is_valid,
      ConfigError,
      kWhere,
      name,
      " is ",
      value,
      ", expected ",
      expected);
}

// Each is written so that not-a-number fails as well.
void check_scale(const char* name, double scale) {
  check_factor(
      name,
      scale,
      rounded(scale) > 0 && std::isfinite(rounded(scale)),
      "more than 0 and within float32");
}

void check_values(
    const GradScalerState& state,
    const char* scale_name = "scale") {
  check_scale(scale_name, state.scale);
  check_factor(
      "growth_factor",
      state.growth_factor,
      state.growth_factor > 1 && std::isfinite(state.growth_factor),
      "more than 1");
  check_factor(
      "backoff_factor",
      state.backoff_factor,
      state.backoff_factor > 0 && state.backoff_factor < 1,
      "more than 0 and less than 1");
  ACCELERATE_CHECK(
      state.growth_interval >= 1,
      ConfigError,
      kWhere,
      "growth_interval is ",
      state.growth_interval,
      ", expected at least 1");
  ACCELERATE_CHECK(
      state.growth_tracker >= 0,
      ConfigError,
      kWhere,
      "_growth_tracker is ",
      state.growth_tracker,
      ", expected at least 0");
}

GradScalerState first_state(const GradScalerOptions& options) {
  return {
      .scale = rounded(options.init_scale),
      .growth_factor = options.growth_factor,
      .backoff_factor = options.backoff_factor,
      .growth_interval = options.growth_interval};
}

/// Gradients of one device and dtype, which one kernel call can take.
struct Gradients {
  std::vector<at::Tensor> values;
};

/// The memory of a gradient; of a sparse one its values.
at::Tensor values_of(const at::Tensor& parameter) {
  const at::Tensor gradient = parameter.grad();
  if (!gradient.defined()) {
    return gradient;
  }
  ACCELERATE_CHECK(
      gradient.scalar_type() != at::kHalf,
      ConfigError,
      kWhere,
      "the gradient of a parameter of shape ",
      parameter.sizes(),
      " is in half precision, in which dividing it loses what scaling won; "
      "keep parameters in float32, autocast computes in half precision by "
      "itself");
  return gradient.is_sparse() ? gradient._values() : gradient;
}

std::vector<Gradients> gradients_by_kind(
    const std::vector<at::Tensor>& parameters) {
  std::vector<Gradients> kinds;
  for (const at::Tensor& parameter : parameters) {
    const at::Tensor values = values_of(parameter);
    if (!values.defined()) {
      continue;
    }
    auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const auto& one) {
      return one.values.front().device() == values.device() &&
          one.values.front().scalar_type() == values.scalar_type();
    });
    if (kind == kinds.end()) {
      kind = kinds.insert(kinds.end(), Gradients());
    }
    kind->values.push_back(values);
  }
  return kinds;
}

void check_nothing_to_unscale(const std::vector<at::Tensor>& parameters) {
  for (const at::Tensor& parameter : parameters) {
    ACCELERATE_CHECK(
        !parameter.grad().defined(),
        ConfigError,
        kWhere,
        "a parameter of shape ",
        parameter.sizes(),
        " has a gradient, but no loss was scaled yet; call backward(loss) of "
        "the Accelerator that prepared the optimiser");
  }
}

} // namespace

void GradScalerOptions::validate() const {
  check_values(first_state(*this), "init_scale");
}

GradScaler::GradScaler(ProcessGroup group, const GradScalerOptions& options)
    : group_(std::move(group)),
      enabled_(options.enabled),
      state_(first_state(options)) {
  options.validate();
}

at::Tensor GradScaler::scale(const at::Tensor& loss) {
  if (!enabled_) {
    return loss;
  }
  update();
  ++backwards_;
  gradient_scale_ = state_.scale;
  return to_full_precision(loss) * state_.scale;
}

void GradScaler::unscale(
    std::size_t optimizer,
    const std::vector<at::Tensor>& parameters) {
  if (enabled_ && backwards_ == 0) {
    check_nothing_to_unscale(parameters);
  }
  Progress& progress = progress_[optimizer];
  if (!enabled_ || progress.unscaled_at == backwards_) {
    return;
  }
  ACCELERATE_CHECK(
      !progress.is_waiting,
      ConfigError,
      kWhere,
      "the gradients of optimiser ",
      optimizer,
      " were unscaled before another backward added to them, so one part is "
      "still multiplied with the scale; step or zero_grad() the optimiser in "
      "between, or accumulate inside of accumulate()");
  unscale_now(progress, parameters);
}

void GradScaler::unscale_now(
    Progress& progress,
    const std::vector<at::Tensor>& parameters) const {
  const at::NoGradGuard no_grad;
  const std::vector<Gradients> kinds = gradients_by_kind(parameters);
  progress.found.clear();
  for (const Gradients& kind : kinds) {
    const auto options =
        at::TensorOptions(kind.values.front().device()).dtype(at::kFloat);
    progress.found.push_back(at::zeros({}, options));
    at::_amp_foreach_non_finite_check_and_unscale_(
        kind.values,
        progress.found.back(),
        at::full({}, 1 / gradient_scale_, options));
  }
  progress.unscaled_at = backwards_;
  progress.is_waiting = !kinds.empty();
  progress.is_bad = false;
}

double GradScaler::unscale_when_complete(
    const GradientState& state,
    std::span<const OptimizerGradients> gradients) {
  if (!state.sync_gradients()) {
    return gradient_scale_;
  }
  for (const OptimizerGradients& one : gradients) {
    unscale(one.optimizer, one.parameters);
  }
  return 1;
}

bool GradScaler::agree(
    const Progress& progress,
    const std::vector<at::Tensor>& parameters) const {
  const c10::Device device =
      parameters.empty() ? c10::Device(c10::kCPU) : parameters.front().device();
  at::Tensor found = at::full(
      {},
      progress.is_bad ? 1.0 : 0.0,
      at::TensorOptions(device).dtype(at::kFloat));
  for (const at::Tensor& one : progress.found) {
    found = at::maximum(found, one.to(device));
  }
  if (group_.world_size() > 1) {
    found = comm::reduce(group_, {found}, Reduction::kMax).front();
  }
  return found.item<float>() != 0;
}

StepVerdict GradScaler::before_step(const StepRequest& request) {
  if (!enabled_) {
    return StepVerdict::kStep;
  }
  Progress& progress = progress_[request.optimizer];
  if (progress.has_stepped) {
    update();
  }
  unscale(request.optimizer, request.parameters);
  progress.is_bad = agree(progress, request.parameters);
  progress.found.clear();
  progress.is_waiting = false;
  progress.has_stepped = true;
  found_bad_ = found_bad_ || progress.is_bad;
  const bool skips = progress.is_bad;
  if (++num_stepped_ >= request.num_optimizers) {
    update();
  }
  return skips ? StepVerdict::kSkip : StepVerdict::kStep;
}

void GradScaler::after_zero_grad(std::size_t optimizer) {
  Progress& progress = progress_[optimizer];
  progress.is_waiting = false;
  progress.is_bad = false;
}

void GradScaler::update() {
  if (num_stepped_ == 0) {
    return;
  }
  if (found_bad_) {
    // From 0 the factor would never grow again.
    state_.scale = std::max(
        rounded(state_.scale * state_.backoff_factor),
        static_cast<double>(std::numeric_limits<float>::min()));
    state_.growth_tracker = 0;
  } else if (++state_.growth_tracker >= state_.growth_interval) {
    const double grown = rounded(state_.scale * state_.growth_factor);
    state_.scale = std::isfinite(grown) ? grown : state_.scale;
    state_.growth_tracker = 0;
  }
  for (auto& [optimizer, progress] : progress_) {
    progress.has_stepped = false;
    progress.is_waiting = false;
  }
  num_stepped_ = 0;
  found_bad_ = false;
}

double GradScaler::current_scale() const {
  return enabled_ ? state_.scale : 1;
}

void GradScaler::set_scale(double scale) {
  check_scale("scale", scale);
  update();
  state_.scale = rounded(scale);
}

GradScalerState GradScaler::state() {
  update();
  return state_;
}

void GradScaler::load_state(const GradScalerState& state) {
  check_values(state);
  update();
  state_ = state;
  state_.scale = rounded(state.scale);
}

} // namespace accelerate
