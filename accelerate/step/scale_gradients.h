// accelerate/step/scale_gradients.h: other weights for what was added before.
#pragma once

#include "accelerate/api.h"
#include "accelerate/prepare/model_core.h"

namespace accelerate::step {

/// Multiplies all gradients of a model in place, sparse ones and views into the
/// buckets of an exchange included. Not collective.
ACCELERATE_API void scale_gradients(const ModelCore& model, double factor);

} // namespace accelerate::step
