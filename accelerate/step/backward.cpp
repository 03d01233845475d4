// accelerate/step/backward.cpp: checks that explain themselves, then autograd.
#include "accelerate/step/backward.h"

#include "accelerate/comm/comm_failure.h"
#include "accelerate/error.h"

namespace accelerate::step {
namespace {

void check_loss(const at::Tensor& loss) {
  constexpr const char* kWhere = "step.backward";
  ACCELERATE_CHECK(
      loss.defined(),
      ConfigError,
      kWhere,
      "the loss is undefined; a model gives no loss when the batch has no "
      "'labels' column");
  ACCELERATE_CHECK(
      loss.numel() == 1,
      ConfigError,
      kWhere,
      "the loss has shape ",
      loss.sizes(),
      ", expected a single value; reduce it with mean() or sum() first");
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

} // namespace

void backward(
    const ProcessGroup& group,
    const at::Tensor& loss,
    std::span<const std::shared_ptr<ModelCore>> models) {
  check_loss(loss);
  for (const std::shared_ptr<ModelCore>& model : models) {
    model->reducer().before_backward(loss);
  }
  if (group.world_size() == 1) {
    loss.backward();
    return;
  }
  with_comm_errors(group, "step.backward", [&] { loss.backward(); });
}

} // namespace accelerate::step
