// accelerate/step/accumulate.cpp
#include "accelerate/step/accumulate.h"

namespace accelerate::step {

bool begin_accumulation(GradientState& state) {
  if (state.sync_with_dataloader() && state.end_of_dataloader()) {
    state.set_step(0);
    state.set_sync_gradients(true);
  } else {
    state.set_step(state.step() + 1);
    state.set_sync_gradients(state.step() % state.num_steps() == 0);
  }
  return state.sync_gradients();
}

Accumulate::Accumulate(
    GradientState& state,
    const std::vector<std::shared_ptr<ModelCore>>& models) {
  if (begin_accumulation(state) || state.sync_each_batch()) {
    return;
  }
  for (const std::shared_ptr<ModelCore>& model : models) {
    local_.push_back(model->reducer().no_sync());
  }
}

} // namespace accelerate::step
