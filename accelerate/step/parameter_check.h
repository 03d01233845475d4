// accelerate/step/parameter_check.h: compares the parameters of all ranks every
// so many steps.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/state/step_guard.h"
#include "accelerate/step/gradient_guard.h"

namespace accelerate::step {

/// 64-bit hash of dtype, shape and values of a tensor: the same for every
/// layout and device, and on every machine of one byte order. Not for
/// protection: whoever wants two tensors of one hash finds them.
/// @param values strided; copied to the CPU from elsewhere
[[nodiscard]] ACCELERATE_API std::uint64_t hash_values(
    const at::Tensor& values);

/// Collective. Blocking. Compares the parameters of `models`.
/// @throws DisagreementError on all ranks when a parameter differs: names the
///   first one, and the ranks that are not with the majority; all ranks when
///   there is none
ACCELERATE_API void check_parameters(
    const ProcessGroup& group,
    const std::vector<std::shared_ptr<ModelCore>>& models);

/// check_parameters() before the first step of every `every` steps, of which
/// one is a step of each optimiser. Ranks whose weights drift apart go on
/// training without a word otherwise.
class ACCELERATE_API ParameterCheck final : public StepGuard {
 public:
  /// @param every at least 1
  ParameterCheck(ProcessGroup group, Models models, int every);

  [[nodiscard]] StepVerdict before_step(const StepRequest& request) override;

 private:
  ProcessGroup group_;
  Models models_;
  int every_;
  std::int64_t requests_ = 0; // of all optimisers
};

} // namespace accelerate::step
