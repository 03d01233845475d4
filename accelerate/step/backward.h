// accelerate/step/backward.h: backward through every prepared model.
#pragma once

#include <memory>
#include <span>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/prepare/model_core.h"

namespace accelerate::step {

/// Accumulates gradients of `loss` into the parameters; in a world larger than
/// one the gradients of armed models are averaged over ranks on the way.
/// Collective: when a model in the graph was armed by its forward.
/// @param loss scalar, floating, connected to parameters
/// @throws ConfigError when the loss is undefined, no scalar, not floating or
///   not connected to any parameter; CommError when the exchange fails.
ACCELERATE_API void backward(
    const ProcessGroup& group,
    const at::Tensor& loss,
    std::span<const std::shared_ptr<ModelCore>> models);

} // namespace accelerate::step
