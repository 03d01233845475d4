// accelerate/state/gradient_state.cpp
#include "accelerate/state/gradient_state.h"

#include <algorithm>

namespace accelerate {

ActiveLoader::~ActiveLoader() = default;

bool GradientState::sync_gradients() const {
  const std::scoped_lock lock(mutex_);
  return sync_gradients_;
}

void GradientState::set_sync_gradients(bool sync) {
  const std::scoped_lock lock(mutex_);
  sync_gradients_ = sync;
}

void GradientState::push_loader(
    const std::shared_ptr<const ActiveLoader>& loader) {
  remove_loader(loader.get());
  const std::scoped_lock lock(mutex_);
  loaders_.push_back(loader);
}

void GradientState::remove_loader(const ActiveLoader* loader) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(loaders_, [&](const auto& entry) {
    const auto alive = entry.lock();
    return alive == nullptr || alive.get() == loader;
  });
}

std::shared_ptr<const ActiveLoader> GradientState::active_loader() const {
  const std::scoped_lock lock(mutex_);
  for (auto entry = loaders_.rbegin(); entry != loaders_.rend(); ++entry) {
    if (auto loader = entry->lock()) {
      return loader;
    }
  }
  return nullptr;
}

bool GradientState::end_of_dataloader() const {
  const auto loader = active_loader();
  return loader != nullptr && loader->end_of_dataloader();
}

std::int64_t GradientState::remainder() const {
  const auto loader = active_loader();
  return loader != nullptr ? loader->remainder() : -1;
}

std::int64_t GradientState::valid_samples() const {
  const auto loader = active_loader();
  return loader != nullptr ? loader->valid_samples() : -1;
}

} // namespace accelerate
