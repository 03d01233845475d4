// accelerate/step/gather_for_metrics.h: every sample of the dataset once.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/comm/collectives.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/nested/visit_tensors.h"
#include "accelerate/state/gradient_state.h"

namespace accelerate::step {

/// Gathers tensors of all ranks and drops the rows that belong to repeated
/// samples. Which rows those are comes from the active loader of `state`;
/// outside of a loop over a prepared loader all rows are kept. Ranks may have
/// different numbers of rows. Collective.
/// @param tensors each of shape (samples on this rank, …)
/// @return each of shape (valid samples of all ranks, …), in the order of ranks
/// @throws ConfigError when dim 0 is not the number of samples of the batch;
///   CommError when the exchange fails.
[[nodiscard]] ACCELERATE_API std::vector<at::Tensor> gather_valid_rows(
    const ProcessGroup& group,
    const GradientState& state,
    const std::vector<at::Tensor>& tensors);

/// The same over a nested value.
/// Source: accelerate Accelerator.gather_for_metrics
template <TensorVisitable T>
[[nodiscard]] T gather_for_metrics(
    const ProcessGroup& group,
    const GradientState& state,
    const T& value) {
  return comm::with_tensors(
      value, gather_valid_rows(group, state, tensors_of(value)));
}

} // namespace accelerate::step
