// accelerate/step/accumulate.h: several micro-batches for one step of the
// optimiser.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/comm/gradient_reducer.h"
#include "accelerate/prepare/model_core.h"
#include "accelerate/state/gradient_state.h"

namespace accelerate::step {

/// Decides whether the micro-batch that begins now ends an accumulation, and
/// tells `state`: every num_steps() ones do, and the last batch of the active
/// loader when sync_with_dataloader() is on; that also restarts the count. A
/// loader whose batches consist of several micro-batches (as many in the last
/// one as in the one before it) ends it with the last of those. Not collective,
/// but all ranks decide alike when their loaders have equally many batches.
/// @param window the count of the models that are trained
/// @return state.sync_gradients() from now on
/// Source: accelerate Accelerator.accumulate
ACCELERATE_API bool begin_accumulation(
    GradientState& state,
    AccumulationWindow& window);
/// The same for micro-batches that name no model.
ACCELERATE_API bool begin_accumulation(GradientState& state);

/// One micro-batch: forward, backward and the step of the optimiser belong
/// inside its life. Unless it ends an accumulation, gradients of `models` stay
/// on this rank (with sync_each_batch() they are exchanged all the same), and
/// prepared optimisers and schedules do nothing.
///
/// Micro-batches are counted for each first model by itself, so that two models
/// may take turns. When exact_last_window() is on and a loader's end cuts a sum
/// short, what it holds so far is scaled as if the losses had been divided by
/// the true number of micro-batches, and the losses of this one are.
class ACCELERATE_API Accumulate {
 public:
  /// @param state outlives the guard
  /// @param models that are trained inside; their gradients add up
  /// @param prepared when no model is named: those whose gradients add up
  [[nodiscard]] Accumulate(
      GradientState& state,
      const std::vector<std::shared_ptr<ModelCore>>& models,
      std::span<const std::shared_ptr<ModelCore>> prepared = {});

 private:
  struct EndShortWindow {
    void operator()(GradientState* state) const {
      state->set_short_window(0);
    }
  };

  std::vector<GradientReducer::NoSync> local_;
  std::unique_ptr<GradientState, EndShortWindow> short_window_;
};

} // namespace accelerate::step
