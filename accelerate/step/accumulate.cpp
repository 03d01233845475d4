// accelerate/step/accumulate.cpp
#include "accelerate/step/accumulate.h"

#include "accelerate/step/scale_gradients.h"

#include <utility>

namespace accelerate::step {
namespace {

/// Counts one more part of the loader's batch.
/// @return whether the batch had no more parts than this when it was like the
///   one before it; true where batches are not numbered
bool is_last_part(const GradientState& state, AccumulationWindow& window) {
  const auto loader = state.active_loader();
  const std::int64_t batch = loader ? loader->batch_index() : -1;
  if (batch < 0) {
    return true;
  }
  if (batch != window.batch || loader != window.loader.lock()) {
    window.loader = loader;
    window.batch = batch;
    window.parts_before = window.parts;
    window.parts = 0;
  }
  ++window.parts;
  return window.parts >= window.parts_before;
}

} // namespace

bool begin_accumulation(GradientState& state, AccumulationWindow& window) {
  const bool is_last = is_last_part(state, window);
  ++window.length;
  if (is_last && state.sync_with_dataloader() && state.end_of_dataloader()) {
    window.step = 0;
    state.set_sync_gradients(true);
  } else {
    ++window.step;
    state.set_sync_gradients(window.step % state.num_steps() == 0);
  }
  state.set_step(window.step);
  return state.sync_gradients();
}

bool begin_accumulation(GradientState& state) {
  return begin_accumulation(state, state.window());
}

Accumulate::Accumulate(
    GradientState& state,
    const std::vector<std::shared_ptr<ModelCore>>& models,
    std::span<const std::shared_ptr<ModelCore>> prepared) {
  AccumulationWindow& window =
      models.empty() ? state.window() : models.front()->accumulation();
  if (begin_accumulation(state, window)) {
    const std::int64_t length = std::exchange(window.length, 0);
    if (state.exact_last_window() && length < state.num_steps()) {
      if (!models.empty()) {
        prepared = models;
      }
      for (const std::shared_ptr<ModelCore>& model : prepared) {
        const bool counts_items = model->items().scale != 0;
        if (length > 1 && !counts_items) {
          scale_gradients(
              *model,
              static_cast<double>(state.num_steps()) /
                  static_cast<double>(length));
        }
      }
      state.set_short_window(length);
      short_window_.reset(&state);
    }
    return;
  }
  if (state.sync_each_batch()) {
    return;
  }
  for (const std::shared_ptr<ModelCore>& model : models) {
    local_.push_back(model->reducer().no_sync());
  }
}

} // namespace accelerate::step
