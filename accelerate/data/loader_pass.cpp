// accelerate/data/loader_pass.cpp
#include "accelerate/data/loader_pass_impl.h"

#include <utility>

#include "accelerate/data/synchronize_rng.h"

namespace accelerate::data {

LoaderPass::LoaderPass(std::shared_ptr<LoaderSettings> settings)
    : settings_(std::move(settings)) {
  const ShardOptions& shard = settings_->shard;
  synchronize_rng_states(
      shard.group, shard.rng_types, shard.device.value_or(c10::kCPU));
  begin_ = settings_->cursor->begin_pass();
  rounds_ = settings_->rounds(settings_, begin_);
}

void LoaderPass::start(const std::shared_ptr<LoaderPass>& self) {
  fetch();
  if (!is_done_ && settings_->shard.gradient_state != nullptr) {
    settings_->shard.gradient_state->push_loader(self);
  }
}

void LoaderPass::advance() {
  ++batch_index_;
  if (!is_done_) {
    fetch();
  }
}

void LoaderPass::fetch() {
  std::optional<Round> round;
  try {
    round = rounds_->next();
  } catch (...) {
    // The pass is over, but the epoch is not: the next pass repeats it.
    leave();
    throw;
  }
  if (!round || !round->batches.front().has_batch) {
    leave();
    settings_->cursor->finish_pass(begin_.epoch);
    return;
  }
  current_ = std::move(round->batches.front());
  remainder_ = round->remainder;
  move_to_device();
  settings_->cursor->advance(
      {.epoch = begin_.epoch, .position = round->position});
}

void LoaderPass::move_to_device() {
  if (!settings_->shard.device) {
    return;
  }
  for (auto& [name, tensor] : current_.batch) {
    if (tensor.defined()) {
      tensor =
          tensor.to(*settings_->shard.device, settings_->shard.non_blocking);
    }
  }
}

void LoaderPass::leave() {
  is_done_ = true;
  current_ = {};
  rounds_.reset();
  if (settings_->shard.gradient_state != nullptr) {
    settings_->shard.gradient_state->remove_loader(this);
  }
}

} // namespace accelerate::data
