// accelerate/optim/sgd.h: stochastic gradient descent on libtorch's fused
// kernel.
#pragma once

#include <memory>
#include <vector>

#include "accelerate/optim/optimizer.h"
#include "accelerate/optim/param_group.h"

namespace accelerate {

/// Source: torch.optim.SGD
struct SGDOptions {
  double lr = 1e-3; ///< at least 0
  double momentum = 0; ///< at least 0
  double dampening = 0; ///< of the gradient when there is momentum
  /// Added to the gradient, times the weight.
  double weight_decay = 0;
  /// Look ahead; needs momentum and no dampening.
  bool nesterov = false;
  bool maximize = false;
};

/// SGD with momentum. One kernel call a step for all parameters of a device and
/// dtype. Parameters without a gradient are left alone.
class ACCELERATE_API SGD final : public Optimizer {
 public:
  using Options = SGDOptions;

  /// @param parameters floating leaves, none twice
  /// @throws ConfigError for options out of range or unusable parameters.
  explicit SGD(
      std::vector<at::Tensor> parameters,
      const SGDOptions& options = {});
  explicit SGD(std::vector<ParamGroup<SGDOptions>> groups);
  SGD(SGD&&) noexcept;
  SGD& operator=(SGD&&) noexcept;
  ~SGD() override;

  void step() override;
  [[nodiscard]] std::size_t num_groups() const override;
  [[nodiscard]] double learning_rate(std::size_t group = 0) const override;
  void set_learning_rate(std::size_t group, double lr) override;
  [[nodiscard]] std::vector<at::Tensor> parameters() const override;
  [[nodiscard]] bool has_stepped() const override;

 private:
  struct State;
  SGDOptions& options(std::size_t group) const;
  std::unique_ptr<State> state_;
};

} // namespace accelerate
