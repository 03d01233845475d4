// accelerate/step/item_average.h: gradients averaged over items (tokens,
// samples) and not over batches.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/prepare/model_core.h"
#include "accelerate/state/gradient_state.h"

namespace accelerate::step {

/// One backward of a loss that is the mean over `num_items` items. After the
/// last one of an accumulation the gradients are
///
///     sum over ranks and micro-batches of num_items · gradient of the loss
///     --------------------------------------------------------------------
///             sum over ranks and micro-batches of num_items
///
/// On the way they have about the size of a mean: the first micro-batch of a
/// rank decides by what they are divided, and the exchange corrects it, which
/// takes one message with one number.
///
/// A rank without items (0) adds nothing, whatever its loss is, also when that
/// is not a number.
class ACCELERATE_API ItemAverage {
 public:
  /// @param models all that were prepared; those that the loss was computed
  ///   from are counted
  /// @throws ConfigError for a negative number, or when the loss comes from
  /// none
  ///   of the models
  ItemAverage(
      const ProcessGroup& group,
      const GradientState& state,
      const at::Tensor& loss,
      std::span<const std::shared_ptr<ModelCore>> models,
      std::int64_t num_items);

  /// What to run backward on, before weights: the loss, or for no items a loss
  /// of zero over the same parameters.
  [[nodiscard]] const at::Tensor& loss() const {
    return loss_;
  }

  /// By what to multiply that loss. Scales what was added before, and in the
  /// backward that exchanges gradients finds the number of items of all ranks.
  /// Collective: when a model of the loss is armed.
  [[nodiscard]] double weight();

 private:
  [[nodiscard]] bool synchronizes() const;
  /// The number of all items when this backward is the one that needs it.
  [[nodiscard]] double scale_of_all(double num_items) const;

  ProcessGroup group_;
  const GradientState& state_;
  at::Tensor loss_;
  std::vector<std::shared_ptr<ModelCore>> models_;
  double num_items_;
};

} // namespace accelerate::step
