// accelerate/step/backward.cpp: checks that explain themselves, then autograd.
#include "accelerate/step/backward.h"

#include "accelerate/comm/comm_failure.h"
#include "accelerate/error.h"
#include "accelerate/step/item_average.h"

#include <ATen/TensorOperators.h>

namespace accelerate::step {
namespace {

constexpr const char* kWhere = "step.backward";

void check_shape(const at::Tensor& loss, const at::Tensor& gradient) {
  if (gradient.defined()) {
    ACCELERATE_CHECK(
        loss.sizes() == gradient.sizes(),
        ConfigError,
        kWhere,
        "the loss has shape ",
        loss.sizes(),
        " and 'gradient' has ",
        gradient.sizes(),
        ", expected the same");
    return;
  }
  ACCELERATE_CHECK(
      loss.numel() == 1,
      ConfigError,
      kWhere,
      "the loss has shape ",
      loss.sizes(),
      ", expected a single value; reduce it with mean() or sum() first, or "
      "give 'gradient'");
}

void check_loss(const at::Tensor& loss, const at::Tensor& gradient) {
  ACCELERATE_CHECK(
      loss.defined(),
      ConfigError,
      kWhere,
      "the loss is undefined (None in Python): a model gives no loss when the "
      "batch has no 'labels' column");
  check_shape(loss, gradient);
  ACCELERATE_CHECK(
      loss.is_floating_point(),
      ConfigError,
      kWhere,
      "the loss has dtype ",
      loss.scalar_type(),
      ", expected a floating dtype");
  ACCELERATE_CHECK(
      loss.requires_grad(),
      ConfigError,
      kWhere,
      "the loss is not connected to any parameter; was the forward run with "
      "gradients off, or the output detached?");
}

void run_autograd(const at::Tensor& loss, const BackwardOptions& options) {
  const bool retains = options.retain_graph.value_or(options.create_graph);
  if (options.inputs.empty()) {
    loss.backward(options.gradient, retains, options.create_graph);
  } else {
    loss.backward(
        options.gradient,
        retains,
        options.create_graph,
        at::TensorList(options.inputs));
  }
}

void run_everywhere(
    const ProcessGroup& group,
    const at::Tensor& share,
    const BackwardOptions& options) {
  if (group.world_size() == 1) {
    run_autograd(share, options);
    return;
  }
  with_comm_errors(group, kWhere, [&] { run_autograd(share, options); });
}

at::Tensor scaled(const at::Tensor& share, GradScaler* scaler) {
  return scaler == nullptr ? share : scaler->scale(share);
}

void ready(
    std::span<const std::shared_ptr<ModelCore>> models,
    const at::Tensor& share) {
  for (const std::shared_ptr<ModelCore>& model : models) {
    model->reducer().before_backward(share);
  }
}

/// The backward of a loss with a number of items.
void average_over_items(
    const ProcessGroup& group,
    const GradientState& state,
    const at::Tensor& loss,
    std::span<const std::shared_ptr<ModelCore>> models,
    const BackwardOptions& options,
    GradScaler* scaler) {
  ACCELERATE_CHECK(
      !options.gradient.defined() && options.inputs.empty() &&
          !options.create_graph,
      ConfigError,
      kWhere,
      "num_items goes with a loss of one value and gradients of all "
      "parameters; leave out 'gradient', 'inputs' and 'create_graph'");
  ItemAverage average(group, state, loss, models, *options.num_items);
  ready(models, average.loss());
  const double weight = average.weight();
  run_everywhere(group, scaled(average.loss() * weight, scaler), options);
}

} // namespace

void backward(
    const ProcessGroup& group,
    const GradientState& state,
    const at::Tensor& loss,
    std::span<const std::shared_ptr<ModelCore>> models,
    const BackwardOptions& options,
    GradScaler* scaler) {
  check_loss(loss, options.gradient);
  if (options.num_items) {
    average_over_items(group, state, loss, models, options, scaler);
    return;
  }
  const std::int64_t divisor = state.loss_divisor();
  const at::Tensor share = scaled(divisor == 1 ? loss : loss / divisor, scaler);
  ready(models, share);
  run_everywhere(group, share, options);
}

} // namespace accelerate::step
