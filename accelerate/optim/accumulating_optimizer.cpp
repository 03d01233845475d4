// accelerate/optim/accumulating_optimizer.cpp
#include "accelerate/optim/accumulating_optimizer.h"

#include <utility>

namespace accelerate {

AccumulatingOptimizer::AccumulatingOptimizer(
    std::shared_ptr<Optimizer> inner,
    std::shared_ptr<const GradientState> gradients)
    : inner_(std::move(inner)), gradients_(std::move(gradients)) {}

void AccumulatingOptimizer::step() {
  if (!is_accumulating()) {
    inner_->step();
  }
}

void AccumulatingOptimizer::zero_grad() {
  if (!is_accumulating()) {
    inner_->zero_grad();
  }
}

bool AccumulatingOptimizer::is_accumulating() const {
  return !gradients_->sync_gradients();
}

std::size_t AccumulatingOptimizer::num_groups() const {
  return inner_->num_groups();
}

double AccumulatingOptimizer::learning_rate(std::size_t group) const {
  return inner_->learning_rate(group);
}

void AccumulatingOptimizer::set_learning_rate(std::size_t group, double lr) {
  inner_->set_learning_rate(group, lr);
}

std::vector<at::Tensor> AccumulatingOptimizer::parameters() const {
  return inner_->parameters();
}

bool AccumulatingOptimizer::has_stepped() const {
  return inner_->has_stepped();
}

const std::vector<double>& AccumulatingOptimizer::initial_learning_rates() {
  return inner_->initial_learning_rates();
}

} // namespace accelerate
