// accelerate/state/gradient_state.cpp
#include "accelerate/state/gradient_state.h"

#include "accelerate/error.h"

#include <algorithm>

namespace accelerate {

ActiveLoader::~ActiveLoader() = default;

std::int64_t ActiveLoader::batch_index() const {
  return -1;
}

void GradientState::set_num_steps(int num_steps) {
  ACCELERATE_CHECK(
      num_steps >= 1,
      ConfigError,
      "state.gradient_accumulation_steps",
      "gradient_accumulation_steps is ",
      num_steps,
      ", expected at least 1");
  num_steps_ = num_steps;
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

std::vector<std::shared_ptr<const ActiveLoader>> GradientState::active_loaders()
    const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::shared_ptr<const ActiveLoader>> alive;
  for (const auto& entry : loaders_) {
    if (auto loader = entry.lock()) {
      alive.push_back(std::move(loader));
    }
  }
  return alive;
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
