// accelerate/step/item_average.cpp
#include "accelerate/step/item_average.h"

#include "accelerate/error.h"
#include "accelerate/step/scale_gradients.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <algorithm>
#include <unordered_set>

namespace accelerate::step {
namespace {

constexpr const char* kWhere = "step.num_items";
using Leaves = std::unordered_set<const c10::TensorImpl*>;

/// The leaves that a loss was computed from.
Leaves leaves_of(const at::Tensor& loss) {
  Leaves leaves;
  std::vector<torch::autograd::Node*> stack;
  std::unordered_set<torch::autograd::Node*> seen;
  if (const auto& root = loss.grad_fn()) {
    stack.push_back(root.get());
  }
  while (!stack.empty()) {
    torch::autograd::Node* node = stack.back();
    stack.pop_back();
    if (auto* end = dynamic_cast<torch::autograd::AccumulateGrad*>(node)) {
      leaves.insert(end->variable.unsafeGetTensorImpl());
    }
    for (const auto& edge : node->next_edges()) {
      if (edge.function && seen.insert(edge.function.get()).second) {
        stack.push_back(edge.function.get());
      }
    }
  }
  return leaves;
}

bool has_one_of(const ModelCore& model, const Leaves& leaves) {
  const auto& parameters = model.tensors().parameters;
  return std::any_of(
      parameters.begin(), parameters.end(), [&](const NamedTensor& named) {
        return leaves.contains(named.tensor.unsafeGetTensorImpl());
      });
}

/// Zero, with a gradient of zero for every trained parameter.
at::Tensor zero_loss(std::span<const std::shared_ptr<ModelCore>> models) {
  at::Tensor loss;
  for (const auto& model : models) {
    for (const NamedTensor& parameter : model->tensors().parameters) {
      if (parameter.tensor.requires_grad()) {
        const at::Tensor zero = parameter.tensor.sum() * 0;
        loss = loss.defined() ? loss + zero.to(loss.options()) : zero;
      }
    }
  }
  return loss;
}

} // namespace

ItemAverage::ItemAverage(
    const ProcessGroup& group,
    const GradientState& state,
    const at::Tensor& loss,
    std::span<const std::shared_ptr<ModelCore>> models,
    std::int64_t num_items)
    : group_(group),
      state_(state),
      loss_(loss),
      models_(models.begin(), models.end()),
      num_items_(static_cast<double>(num_items)) {
  ACCELERATE_CHECK(
      num_items >= 0,
      ConfigError,
      kWhere,
      "num_items is ",
      num_items,
      ", expected at least 0: the number of items that the loss is the mean "
      "of");
  if (models_.size() != 1) {
    const Leaves leaves = leaves_of(loss);
    std::erase_if(models_, [&](const auto& model) {
      return !has_one_of(*model, leaves);
    });
  }
  ACCELERATE_CHECK(
      !models_.empty(),
      ConfigError,
      kWhere,
      "the loss was computed from none of the ",
      models.size(),
      " prepared models, whose gradients num_items averages; prepare the "
      "model");
  if (num_items == 0) {
    loss_ = zero_loss(models_);
  }
}

bool ItemAverage::synchronizes() const {
  if (group_.world_size() > 1) {
    return std::any_of(models_.begin(), models_.end(), [](const auto& model) {
      return model->reducer().is_armed();
    });
  }
  return !models_.front()->reducer().is_local() &&
      (state_.sync_gradients() || state_.sync_each_batch());
}

double ItemAverage::scale_of_all(double num_items) const {
  const double all = models_.front()->reducer().sum_over_ranks(num_items);
  // The exchange divides by the number of ranks.
  return all > 0 ? group_.world_size() / all : 1;
}

double ItemAverage::weight() {
  // A discriminator is also in the generator's loss: of several, the model with
  // the fewest items has only those of this loss.
  const auto base = std::min_element(
      models_.begin(), models_.end(), [](const auto& left, const auto& right) {
        return left->items().num_items < right->items().num_items;
      });
  const double num_items = (*base)->items().num_items + num_items_;
  double scale = (*base)->items().scale;
  if (scale == 0) {
    scale = 1.0 / (state_.num_steps() * std::max(1.0, num_items_));
  }
  const bool exchanges = synchronizes();
  if (exchanges) {
    scale = scale_of_all(num_items);
  }
  const bool ends = exchanges && state_.sync_gradients();
  for (const std::shared_ptr<ModelCore>& model : models_) {
    ItemWindow& window = model->items();
    if (window.scale != 0 && window.scale != scale) {
      scale_gradients(*model, scale / window.scale);
    }
    window = ends
        ? ItemWindow()
        : ItemWindow{
              .num_items = window.num_items + num_items_, .scale = scale};
  }
  return num_items_ * scale;
}

} // namespace accelerate::step
