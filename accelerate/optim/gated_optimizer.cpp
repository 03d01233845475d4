// accelerate/optim/gated_optimizer.cpp
#include "accelerate/optim/gated_optimizer.h"

#include <utility>

namespace accelerate {

GatedOptimizer::GatedOptimizer(
    std::shared_ptr<Optimizer> inner,
    std::shared_ptr<const GradientState> gradients,
    std::shared_ptr<StepGuards> guards)
    : inner_(std::move(inner)),
      gate_(std::move(gradients), std::move(guards)) {}

void GatedOptimizer::step() {
  // Lists of parameters are made for guards only.
  if (gate_.may_step(
          gate_.has_guards() && !gate_.is_accumulating()
              ? inner_->parameters()
              : std::vector<at::Tensor>())) {
    inner_->step();
  }
}

void GatedOptimizer::zero_grad() {
  if (!is_accumulating()) {
    inner_->zero_grad();
    gate_.after_zero_grad();
  }
}

bool GatedOptimizer::is_accumulating() const {
  return gate_.is_accumulating();
}

bool GatedOptimizer::step_was_skipped() const {
  return gate_.step_was_skipped();
}

std::size_t GatedOptimizer::num_groups() const {
  return inner_->num_groups();
}

double GatedOptimizer::learning_rate(std::size_t group) const {
  return inner_->learning_rate(group);
}

void GatedOptimizer::set_learning_rate(std::size_t group, double lr) {
  inner_->set_learning_rate(group, lr);
}

std::vector<at::Tensor> GatedOptimizer::parameters() const {
  return inner_->parameters();
}

bool GatedOptimizer::has_stepped() const {
  return inner_->has_stepped();
}

const std::vector<double>& GatedOptimizer::initial_learning_rates() {
  return inner_->initial_learning_rates();
}

} // namespace accelerate
