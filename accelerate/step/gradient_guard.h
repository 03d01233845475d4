// accelerate/step/gradient_guard.h: looks for gradients that are not finite
// before an optimiser uses them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/prepare/model_core.h"
#include "accelerate/state/step_guard.h"

namespace accelerate {

/// What happens when a gradient holds infinity or not-a-number.
enum class NonFiniteGradients {
  kOff, ///< nobody looks
  kWarn, ///< one log line, and the step is made
  kSkip, ///< one log line, and the step is left out
  kRaise, ///< ConfigError, and the step is left out
};

/// "off", "warn", "skip" or "raise".
/// @throws ConfigError for another word
[[nodiscard]] ACCELERATE_API NonFiniteGradients
parse_nonfinite_gradients(std::string_view word);

namespace step {

/// The prepared models, for the names of parameters.
using Models = std::function<std::vector<std::shared_ptr<ModelCore>>()>;

/// Looks at each rank's own gradients once for each step: in the buckets,
/// before they are averaged, where they are exchanged; else in place, unless
/// their norm was computed for this step and is finite. The ranks exchange what
/// they found and act alike.
///
/// Gradients that become infinite later, by a clip or a hook of the user's, are
/// the same on all ranks and are not looked at.
class ACCELERATE_API GradientGuard final : public StepGuard {
 public:
  /// @param action not kOff
  /// Not collective, but made on all ranks, before the first backward.
  GradientGuard(ProcessGroup group, Models models, NonFiniteGradients action);

  /// Collective: one message of 32 bytes a rank.
  /// @throws ConfigError on all ranks with kRaise, naming the first parameter
  ///   and the rank on which it arose
  [[nodiscard]] StepVerdict before_step(const StepRequest& request) override;
  void after_zero_grad(std::size_t optimizer) override;

  /// The norm over the gradients of `parameters` is known: a finite one says
  /// that all are finite. Waits for its device.
  void note_norm(
      const std::vector<at::Tensor>& parameters,
      const at::Tensor& norm);

 private:
  [[nodiscard]] std::string find_here(const StepRequest& request);
  [[nodiscard]] std::string describe_first(
      const std::vector<at::Tensor>& parameters) const;

  ProcessGroup group_;
  Models models_;
  NonFiniteGradients action_;
  /// Whose gradients are known to be finite.
  std::unordered_set<const c10::TensorImpl*> finite_;
};

} // namespace step
} // namespace accelerate
