// accelerate/optim/optimizer.cpp: clearing gradients, and torch's optimisers.
#include "accelerate/optim/optimizer.h"

#include <c10/core/GradMode.h>
#include <torch/optim/lbfgs.h>

#include "accelerate/error.h"

namespace accelerate {
namespace {

template <typename Groups>
auto& group_at(Groups& groups, std::size_t group) {
  ACCELERATE_CHECK(
      group < groups.size(),
      ConfigError,
      "optim.group",
      "parameter group ",
      group,
      " of an optimiser with ",
      groups.size());
  return groups[group];
}

} // namespace

Optimizer::~Optimizer() = default;

void Optimizer::zero_grad() {
  zero_gradients(parameters());
}

bool Optimizer::is_accumulating() const {
  return false;
}

bool Optimizer::step_was_skipped() const {
  return false;
}

const std::vector<double>& Optimizer::initial_learning_rates() {
  // A group added since the last call still has the rate it was made with.
  for (std::size_t group = initial_learning_rates_.size(); group < num_groups();
       ++group) {
    initial_learning_rates_.push_back(learning_rate(group));
  }
  return initial_learning_rates_;
}

void zero_gradients(const std::vector<at::Tensor>& parameters) {
  const c10::AutoGradMode no_grad(false);
  for (const at::Tensor& parameter : parameters) {
    at::Tensor& gradient = parameter.mutable_grad();
    if (!gradient.defined()) {
      continue;
    }
    if (gradient.is_view()) {
      gradient.zero_();
    } else {
      gradient.reset();
    }
  }
}

void TorchOptimizer::step() {
  ACCELERATE_CHECK(
      dynamic_cast<torch::optim::LBFGS*>(optimizer_) == nullptr,
      ConfigError,
      "optim.step",
      "torch::optim::LBFGS evaluates a closure several times in a step, which "
      "the step of a prepared optimiser cannot do");
  optimizer_->step();
  has_stepped_ = true;
}

std::size_t TorchOptimizer::num_groups() const {
  return optimizer_->param_groups().size();
}

double TorchOptimizer::learning_rate(std::size_t group) const {
  return group_at(optimizer_->param_groups(), group).options().get_lr();
}

void TorchOptimizer::set_learning_rate(std::size_t group, double lr) {
  group_at(optimizer_->param_groups(), group).options().set_lr(lr);
}

std::vector<at::Tensor> TorchOptimizer::parameters() const {
  std::vector<at::Tensor> all;
  for (const auto& group : optimizer_->param_groups()) {
    all.insert(all.end(), group.params().begin(), group.params().end());
  }
  return all;
}

bool TorchOptimizer::has_stepped() const {
  return has_stepped_ || !optimizer_->state().empty();
}

} // namespace accelerate
