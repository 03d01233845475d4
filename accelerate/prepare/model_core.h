// accelerate/prepare/model_core.h: what the engine knows of a prepared model:
// its tensors and the reducer around its forward, never its type.
#pragma once

#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "accelerate/api.h"
#include "accelerate/comm/gradient_reducer.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/nested/named_tensor.h"
#include "accelerate/precision/autocast.h"
#include "accelerate/state/gradient_state.h"

namespace torch::nn {
class Module;
} // namespace torch::nn

namespace accelerate {

/// A model as lists of tensors. Tied tensors may appear several times.
struct ModelTensors {
  std::vector<NamedTensor> parameters;
  std::vector<NamedTensor> buffers;
};

/// Parameters and buffers of a module with their dotted names, in the order of
/// registration.
[[nodiscard]] ACCELERATE_API ModelTensors
tensors_of_module(const torch::nn::Module& module);

/// Moves every tensor to `device`, keeping the identity of each: optimisers
/// and modules that hold the tensors see them on the new device.
ACCELERATE_API void move_to_device(
    const ModelTensors& tensors,
    c10::Device device);

/// The average over items that a model's gradients are on the way to, see
/// step::ItemAverage.
struct ItemWindow {
  /// Items of this rank whose gradients are in the sum.
  double num_items = 0;
  /// What the sum over items was multiplied by; 0 when no sum has begun.
  double scale = 0;
};

/// Surrounds each forward of one model. In a world of one, and for a model
/// without trainable parameters, its reducer is inactive and does nothing.
class ACCELERATE_API ModelCore {
 public:
  /// Collective: in a world larger than one, compares the shapes of all
  /// tensors across ranks and broadcasts those of rank 0.
  /// @throws CommError naming the first tensor that differs between ranks.
  /// @param autocast of each forward, whose outputs are then float32; nothing
  ///   for full precision
  ModelCore(
      ModelTensors tensors,
      const ProcessGroup& group,
      const DistributedDataParallelOptions& options,
      const std::optional<Autocast>& autocast = std::nullopt);
  /// Collective when the model has buffers to broadcast and gradients are on.
  void before_forward() {
    if (reducer_.is_active()) {
      reducer_.before_forward();
    }
  }

  /// Arms the reducer for the backward that follows.
  /// @param outputs tensors the forward returned; read only when
  ///   needs_outputs().
  void after_forward(const std::vector<at::Tensor>& outputs) {
    if (reducer_.is_active()) {
      reducer_.after_forward(outputs);
    }
  }

  /// Whether after_forward() looks at the outputs (find_unused_parameters).
  [[nodiscard]] bool needs_outputs() const {
    return needs_outputs_;
  }

  [[nodiscard]] const std::optional<Autocast>& autocast() const {
    return autocast_;
  }
  [[nodiscard]] GradientReducer& reducer() {
    return reducer_;
  }
  /// Of the micro-batches that name this model first.
  [[nodiscard]] AccumulationWindow& accumulation() {
    return accumulation_;
  }
  [[nodiscard]] ItemWindow& items() {
    return items_;
  }
  [[nodiscard]] const ModelTensors& tensors() const {
    return tensors_;
  }
  /// True when `other` names exactly the same tensor objects.
  [[nodiscard]] bool has_same_tensors(const ModelTensors& other) const;
  [[nodiscard]] bool owns_parameter(const at::Tensor& tensor) const;

 private:
  ModelTensors tensors_;
  GradientReducer reducer_;
  std::optional<Autocast> autocast_;
  bool needs_outputs_;
  AccumulationWindow accumulation_;
  ItemWindow items_;
};

} // namespace accelerate
