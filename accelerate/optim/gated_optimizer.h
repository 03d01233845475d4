// accelerate/optim/gated_optimizer.h: an optimiser that waits while gradients
// accumulate, and leaves out the steps that a guard forbids.
#pragma once

#include <memory>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/optim/optimizer.h"
#include "accelerate/state/step_gate.h"

namespace accelerate {

/// The optimiser inside, except that step() and zero_grad() go through a
/// StepGate.
/// Source: accelerate AcceleratedOptimizer
class ACCELERATE_API GatedOptimizer final : public Optimizer {
 public:
  /// @param gradients says when gradients accumulate
  /// @param guards are asked before each step
  GatedOptimizer(
      std::shared_ptr<Optimizer> inner,
      std::shared_ptr<const GradientState> gradients,
      std::shared_ptr<StepGuards> guards);

  /// Collective: when there are guards, see StepGuard::before_step().
  void step() override;
  void zero_grad() override;
  [[nodiscard]] bool is_accumulating() const override;
  [[nodiscard]] bool step_was_skipped() const override;
  [[nodiscard]] std::size_t num_groups() const override;
  [[nodiscard]] double learning_rate(std::size_t group = 0) const override;
  void set_learning_rate(std::size_t group, double lr) override;
  [[nodiscard]] std::vector<at::Tensor> parameters() const override;
  [[nodiscard]] bool has_stepped() const override;
  [[nodiscard]] const std::vector<double>& initial_learning_rates() override;

  /// What decides over its steps.
  [[nodiscard]] const StepGate& gate() const {
    return gate_;
  }

 private:
  std::shared_ptr<Optimizer> inner_;
  StepGate gate_;
};

} // namespace accelerate
