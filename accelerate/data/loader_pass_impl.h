// accelerate/data/loader_pass_impl.h: one iteration over an epoch's batches.
#pragma once

#include <cstdint>
#include <memory>

#include "accelerate/data/loader_settings_impl.h"
#include "accelerate/data/round_source_impl.h"
#include "accelerate/state/gradient_state.h"

namespace accelerate::data {

class LoaderPass final : public ActiveLoader {
 public:
  explicit LoaderPass(std::shared_ptr<LoaderSettings> settings);

  /// Makes batch 0 the current one, and `self` the active loader.
  void start(const std::shared_ptr<LoaderPass>& self);
  void advance();

  [[nodiscard]] bool is_done() const {
    return is_done_;
  }
  [[nodiscard]] const Batch& current() const {
    return current_.batch;
  }
  [[nodiscard]] bool end_of_dataloader() const override {
    return is_done_ || current_.is_last;
  }
  [[nodiscard]] std::int64_t remainder() const override {
    return remainder_;
  }
  [[nodiscard]] std::int64_t valid_samples() const override {
    return current_.num_real;
  }
  [[nodiscard]] std::int64_t batch_index() const override {
    return batch_index_;
  }

 private:
  void fetch();
  void move_to_device();
  /// No batch is current any more.
  void leave();

  std::shared_ptr<LoaderSettings> settings_;
  Place begin_;
  RankBatch current_;
  std::int64_t remainder_ = -1;
  std::int64_t batch_index_ = 0;
  bool is_done_ = false;
  // Last: its threads use what the settings hold.
  std::unique_ptr<RoundSource> rounds_;
};

} // namespace accelerate::data
