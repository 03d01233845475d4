// accelerate/step/gather_for_metrics.h: every sample of the dataset once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/comm/collectives.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/nested/visit_tensors.h"
#include "accelerate/state/gradient_state.h"

namespace accelerate::step {

/// How many of `rows` rows of this rank belong to samples that no other rank
/// has: the first ones. All of them unless the batch is the last one of a
/// prepared loader that its data does not fill, and when there are fewer rows
/// than samples, because then they are not one per sample. Not collective.
[[nodiscard]] ACCELERATE_API std::int64_t valid_rows(
    const GradientState& state,
    std::int64_t rows);

/// Gathers tensors of all ranks and drops the rows that belong to repeated
/// samples. Only the last batch of a prepared loader has such, and only when
/// the data does not fill the last round; the active loader of `state` knows.
/// In all other batches, and outside of a loop, all rows are kept. Ranks may
/// have different numbers of rows, tensors of one call as well. Collective.
///
/// In such a batch a tensor is taken as one row per sample when every rank has
/// at least as many rows as valid samples. With more, the first ones count, as
/// scripts expect that repeat a loss for the whole batch size. A tensor without
/// dimensions is one value per rank. Nothing is dropped of that, nor of a
/// tensor in which some rank has fewer rows than samples.
/// @param tensors each of shape (rows on this rank, …) or without dimensions
/// @return each of shape (rows kept of all ranks, …), in the order of ranks
/// @throws CommError when ranks pass different numbers of tensors, dtypes or
///   trailing shapes, or when the exchange fails.
[[nodiscard]] ACCELERATE_API std::vector<at::Tensor> gather_valid_rows(
    const ProcessGroup& group,
    const GradientState& state,
    const std::vector<at::Tensor>& tensors);

/// The same for values that are no tensors: one JSON text for each sample of
/// this rank's batch, of any length. Ranks may have different numbers of them.
/// Collective.
/// @return the texts kept of all ranks, in the order of ranks
/// @throws ConfigError on every rank when a text is not valid JSON; names it
/// @throws CommError when the exchange fails.
[[nodiscard]] ACCELERATE_API std::vector<std::string> gather_valid_json(
    const ProcessGroup& group,
    const GradientState& state,
    const std::vector<std::string>& values);

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
