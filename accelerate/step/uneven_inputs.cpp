// accelerate/step/uneven_inputs.cpp
#include "accelerate/step/uneven_inputs.h"

#include <utility>

namespace accelerate::step {
namespace {

std::vector<GradientReducer*> reducers_of(
    const std::vector<std::shared_ptr<ModelCore>>& models) {
  std::vector<GradientReducer*> reducers;
  for (const std::shared_ptr<ModelCore>& model : models) {
    reducers.push_back(&model->reducer());
  }
  return reducers;
}

} // namespace

UnevenInputs::UnevenInputs(
    const ProcessGroup& group,
    std::vector<std::shared_ptr<ModelCore>> models,
    std::span<const DataLoader> loaders,
    std::optional<bool> even_batches)
    : models_(std::move(models)), join_(group, reducers_of(models_)) {
  if (!even_batches) {
    return;
  }
  for (const DataLoader& loader : loaders) {
    kept_.push_back({loader, loader.even_batches()});
    kept_.back().loader.set_even_batches(*even_batches);
  }
}

UnevenInputs::~UnevenInputs() {
  restore();
}

void UnevenInputs::finish() {
  restore();
  join_.finish();
}

void UnevenInputs::restore() {
  for (Kept& kept : kept_) {
    kept.loader.set_even_batches(kept.even_batches);
  }
  kept_.clear();
}

} // namespace accelerate::step
