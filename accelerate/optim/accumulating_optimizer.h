// accelerate/optim/accumulating_optimizer.h: an optimiser that waits while
// gradients accumulate.
#pragma once

#include <memory>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/optim/optimizer.h"
#include "accelerate/state/gradient_state.h"

namespace accelerate {

/// The optimiser inside, except that step() and zero_grad() do nothing while
/// `gradients` says that gradients do not synchronise.
/// Source: accelerate AcceleratedOptimizer
class ACCELERATE_API AccumulatingOptimizer final : public Optimizer {
 public:
  AccumulatingOptimizer(
      std::shared_ptr<Optimizer> inner,
      std::shared_ptr<const GradientState> gradients);

  void step() override;
  void zero_grad() override;
  [[nodiscard]] bool is_accumulating() const override;
  [[nodiscard]] std::size_t num_groups() const override;
  [[nodiscard]] double learning_rate(std::size_t group = 0) const override;
  void set_learning_rate(std::size_t group, double lr) override;
  [[nodiscard]] std::vector<at::Tensor> parameters() const override;
  [[nodiscard]] bool has_stepped() const override;
  [[nodiscard]] const std::vector<double>& initial_learning_rates() override;

 private:
  std::shared_ptr<Optimizer> inner_;
  std::shared_ptr<const GradientState> gradients_;
};

} // namespace accelerate
