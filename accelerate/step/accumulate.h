// accelerate/step/accumulate.h: several micro-batches for one step of the
// optimiser.
#pragma once

#include <memory>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/comm/gradient_reducer.h"
#include "accelerate/prepare/model_core.h"
#include "accelerate/state/gradient_state.h"

namespace accelerate::step {

/// Decides whether the micro-batch that begins now ends an accumulation, and
/// tells `state`: every num_steps() ones do, and the last batch of the active
/// loader when sync_with_dataloader() is on; that also restarts the count. Not
/// collective, but all ranks decide alike when their loaders have equally many
/// batches.
/// @return state.sync_gradients() from now on
/// Source: accelerate Accelerator.accumulate
ACCELERATE_API bool begin_accumulation(GradientState& state);

/// One micro-batch: forward, backward and the step of the optimiser belong
/// inside its life. Unless it ends an accumulation, gradients of `models` stay
/// on this rank (with sync_each_batch() they are exchanged all the same), and
/// prepared optimisers and schedules do nothing.
class ACCELERATE_API Accumulate {
 public:
  [[nodiscard]] Accumulate(
      GradientState& state,
      const std::vector<std::shared_ptr<ModelCore>>& models);

 private:
  std::vector<GradientReducer::NoSync> local_;
};

} // namespace accelerate::step
