// accelerate/optim/adam.h: Adam and AdamW on libtorch's fused kernels.
#pragma once

#include <memory>
#include <vector>

#include "accelerate/optim/optimizer.h"
#include "accelerate/optim/param_group.h"

namespace accelerate {

namespace optim {
class AdamState;
} // namespace optim

/// Source: torch.optim.AdamW
struct AdamWOptions {
  double lr = 1e-3; ///< at least 0
  double beta1 = 0.9; ///< in [0, 1)
  double beta2 = 0.999; ///< in [0, 1)
  double eps = 1e-8; ///< at least 0
  /// Each step first shrinks the weights by lr · weight_decay.
  double weight_decay = 1e-2;
  bool amsgrad = false;
  bool maximize = false;
};

/// Source: torch.optim.Adam
struct AdamOptions {
  double lr = 1e-3; ///< at least 0
  double beta1 = 0.9; ///< in [0, 1)
  double beta2 = 0.999; ///< in [0, 1)
  double eps = 1e-8; ///< at least 0
  /// Added to the gradient, times the weight.
  double weight_decay = 0;
  bool amsgrad = false;
  bool maximize = false;
};

/// Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101).
/// One kernel call a step for all parameters of a device and dtype; state is
/// made at the first step on the device the parameter has then. Parameters
/// without a gradient are left alone.
class ACCELERATE_API AdamW final : public Optimizer {
 public:
  using Options = AdamWOptions;

  /// @param parameters floating leaves, none twice
  /// @throws ConfigError for options out of range or unusable parameters.
  explicit AdamW(
      std::vector<at::Tensor> parameters,
      const AdamWOptions& options = {});
  explicit AdamW(std::vector<ParamGroup<AdamWOptions>> groups);
  AdamW(AdamW&&) noexcept;
  AdamW& operator=(AdamW&&) noexcept;
  ~AdamW() override;

  void step() override;
  [[nodiscard]] std::size_t num_groups() const override;
  [[nodiscard]] double learning_rate(std::size_t group = 0) const override;
  void set_learning_rate(std::size_t group, double lr) override;
  [[nodiscard]] std::vector<at::Tensor> parameters() const override;
  [[nodiscard]] bool has_stepped() const override;

 private:
  std::unique_ptr<optim::AdamState> state_;
};

/// Adam (Kingma and Ba, arXiv 1412.6980); otherwise as AdamW.
class ACCELERATE_API Adam final : public Optimizer {
 public:
  using Options = AdamOptions;

  explicit Adam(
      std::vector<at::Tensor> parameters,
      const AdamOptions& options = {});
  explicit Adam(std::vector<ParamGroup<AdamOptions>> groups);
  Adam(Adam&&) noexcept;
  Adam& operator=(Adam&&) noexcept;
  ~Adam() override;

  void step() override;
  [[nodiscard]] std::size_t num_groups() const override;
  [[nodiscard]] double learning_rate(std::size_t group = 0) const override;
  void set_learning_rate(std::size_t group, double lr) override;
  [[nodiscard]] std::vector<at::Tensor> parameters() const override;
  [[nodiscard]] bool has_stepped() const override;

 private:
  std::unique_ptr<optim::AdamState> state_;
};

} // namespace accelerate
