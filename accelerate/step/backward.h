// accelerate/step/backward.h: backward through every prepared model.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/precision/grad_scaler.h"
#include "accelerate/prepare/model_core.h"
#include "accelerate/state/gradient_state.h"

namespace accelerate {

/// Source: torch.Tensor.backward
struct BackwardOptions {
  /// What the loss is multiplied with before its elements are added; of the
  /// loss's shape. Undefined: 1, for a loss of one element.
  at::Tensor gradient = {};
  /// Keeps the graph for another backward. Unset: as create_graph.
  std::optional<bool> retain_graph = std::nullopt;
  /// Records the backward itself, for gradients of gradients.
  bool create_graph = false;
  /// The only leaves that get gradients. Empty: all that the loss depends on.
  std::vector<at::Tensor> inputs = {};
  /// The number of items (tokens, samples) that the loss is the mean of on this
  /// rank. Set: gradients are averaged over the items of all ranks and
  /// micro-batches, however they are spread, see step::ItemAverage. All ranks
  /// set it, and all micro-batches of an accumulation. Excludes `gradient`,
  /// `inputs`, and create_graph.
  std::optional<std::int64_t> num_items = std::nullopt;
};

namespace step {

/// Accumulates gradients of `loss`, divided by the steps of accumulation that
/// `state` knows (or weighed by `options.num_items`), into the parameters; in a
/// world larger than one the gradients of armed models are averaged over ranks
/// on the way. Collective: when a model in the graph was armed by its forward.
/// @param loss floating, connected to parameters; of one element unless
///   `options.gradient` is given
/// @param scaler multiplies the loss, and so the gradients, with its scale;
///   null: nobody does
/// @throws ConfigError when the loss is undefined, not floating, not connected
///   to any parameter, or does not go with `options.gradient`; for options that
///   exclude each other; CommError when
///   the exchange fails.
/// Source: accelerate Accelerator.backward
ACCELERATE_API void backward(
    const ProcessGroup& group,
    const GradientState& state,
    const at::Tensor& loss,
    std::span<const std::shared_ptr<ModelCore>> models,
    const BackwardOptions& options = {},
    GradScaler* scaler = nullptr);

} // namespace step
} // namespace accelerate
