// accelerate/optim/optimizer.h: what the engine needs of every optimiser, ours
// or torch's.
#pragma once

#include <concepts>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>
#include <torch/optim/optimizer.h>

#include "accelerate/api.h"

namespace accelerate {

/// Updates parameters from their gradients, group by group.
class ACCELERATE_API Optimizer {
 public:
  Optimizer() = default;
  virtual ~Optimizer();
  Optimizer(Optimizer&&) noexcept = default;
  Optimizer& operator=(Optimizer&&) noexcept = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update of every parameter that has a gradient.
  virtual void step() = 0;

  /// Clears all gradients, see zero_gradients().
  virtual void zero_grad();

  /// True while step() and zero_grad() do nothing, because gradients of several
  /// micro-batches are being added. A schedule over this optimiser waits then.
  [[nodiscard]] virtual bool is_accumulating() const;

  /// True when the last step that was due was left out, because a gradient was
  /// not finite. A schedule over this optimiser waits then.
  [[nodiscard]] virtual bool step_was_skipped() const;

  [[nodiscard]] virtual std::size_t num_groups() const = 0;
  /// @throws ConfigError when there is no such group.
  [[nodiscard]] virtual double learning_rate(std::size_t group = 0) const = 0;
  virtual void set_learning_rate(std::size_t group, double lr) = 0;

  /// All parameters, group after group.
  [[nodiscard]] virtual std::vector<at::Tensor> parameters() const = 0;

  /// Whether step() ever updated something.
  [[nodiscard]] virtual bool has_stepped() const = 0;

  /// The learning rates before the first schedule touched them, by group.
  /// Remembered from the first call on, so that a second schedule does not
  /// start from what the first one made of them.
  [[nodiscard]] virtual const std::vector<double>& initial_learning_rates();

 private:
  std::vector<double> initial_learning_rates_; // [group], empty: not asked for
};

/// Clears gradients. One that is a view, as the buckets of a gradient exchange
/// make them, is zeroed in place, because the exchange refers to its memory;
/// any other becomes undefined, which frees it.
ACCELERATE_API void zero_gradients(const std::vector<at::Tensor>& parameters);

/// Any torch::optim optimiser through the interface above. References the
/// optimiser, which must outlive it.
class ACCELERATE_API TorchOptimizer final : public Optimizer {
 public:
  explicit TorchOptimizer(torch::optim::Optimizer& optimizer)
      : optimizer_(&optimizer) {}

  /// torch::optim::LBFGS needs a closure and is refused.
  /// @throws ConfigError then.
  void step() override;
  [[nodiscard]] std::size_t num_groups() const override;
  [[nodiscard]] double learning_rate(std::size_t group = 0) const override;
  void set_learning_rate(std::size_t group, double lr) override;
  [[nodiscard]] std::vector<at::Tensor> parameters() const override;
  [[nodiscard]] bool has_stepped() const override;

 private:
  torch::optim::Optimizer* optimizer_;
  bool has_stepped_ = false; // plain SGD keeps no state that would show it
};

/// The engine's view of an optimiser. References `optimizer`.
template <std::derived_from<Optimizer> T>
[[nodiscard]] std::shared_ptr<Optimizer> as_optimizer(T& optimizer) {
  return {std::shared_ptr<void>(), &optimizer};
}
[[nodiscard]] inline std::shared_ptr<Optimizer> as_optimizer(
    torch::optim::Optimizer& optimizer) {
  return std::make_shared<TorchOptimizer>(optimizer);
}

} // namespace accelerate
