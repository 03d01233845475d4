// accelerate/state/step_guard.h: who may forbid a step of an optimiser.
#pragma once

#include <cstddef>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"

namespace accelerate {

enum class StepVerdict { kStep, kSkip };

/// The step that a guard is asked about.
struct StepRequest {
  /// Number of the optimiser: the order in which an Accelerator prepared them,
  /// from 0. A number is never given twice.
  std::size_t optimizer = 0;
  /// How many optimisers of that Accelerator there are now, this one included.
  std::size_t num_optimizers = 1;
  /// Of all its groups; not each has a gradient.
  const std::vector<at::Tensor>& parameters;
};

/// Looks at gradients before they are used: a scaler of gradients, or a check
/// for values that are not finite. One guard serves all optimisers of one
/// Accelerator.
class ACCELERATE_API StepGuard {
 public:
  virtual ~StepGuard();

  /// Asked before every step that is due, so not while gradients accumulate.
  /// May change gradients in place. All ranks have to answer alike, or their
  /// weights differ from then on: a guard whose finding may differ between
  /// ranks reduces it over them.
  /// Collective: all ranks are asked about the same optimisers in the same
  /// order.
  /// @return kSkip to leave the step out; later guards are not asked then
  [[nodiscard]] virtual StepVerdict before_step(const StepRequest& request) = 0;

  /// Told when gradients of an optimiser are cleared through its handle, so not
  /// while they accumulate. Does nothing by default.
  virtual void after_zero_grad(std::size_t optimizer);
};

} // namespace accelerate
