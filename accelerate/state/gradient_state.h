// accelerate/state/gradient_state.h: what the optimiser, the scheduler and the
// metrics have to know about the step: do gradients synchronise now, and which
// loader is being iterated.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "accelerate/api.h"

namespace accelerate {

/// A loader that is being iterated, as the step sees it.
class ACCELERATE_API ActiveLoader {
 public:
  virtual ~ActiveLoader();

  /// True from the moment the last batch was handed out.
  [[nodiscard]] virtual bool end_of_dataloader() const = 0;
  /// Samples of the last global batch that are real when the data does not
  /// fill it: 0 when it does, -1 when unknown.
  [[nodiscard]] virtual std::int64_t remainder() const = 0;
  /// Samples of the current batch on this rank that are not repetitions added
  /// to make batches even; -1 when unknown.
  [[nodiscard]] virtual std::int64_t valid_samples() const = 0;
  /// The number of the current batch in this pass, from 0; -1 when unknown.
  [[nodiscard]] virtual std::int64_t batch_index() const;
};

/// The sum of gradients that one model is in the middle of, see
/// step::begin_accumulation().
struct AccumulationWindow {
  /// Micro-batches since the count last started anew.
  std::int64_t step = 0;
  /// Micro-batches in the sum so far; 0 after a step of the optimiser.
  std::int64_t length = 0;
  /// Which batch of which loader the last micro-batch was of.
  std::weak_ptr<const ActiveLoader> loader = {};
  std::int64_t batch = -1;
  /// Micro-batches of that batch so far, and of the batch before it.
  std::int64_t parts = 0;
  std::int64_t parts_before = 0;
};

/// State of the current training step. One object is shared by everything that
/// one Accelerator prepared. Thread-safety: safe.
class ACCELERATE_API GradientState {
 public:
  /// True when this backward's gradients are averaged over the ranks and the
  /// optimiser may step.
  [[nodiscard]] bool sync_gradients() const {
    return sync_gradients_;
  }
  void set_sync_gradients(bool sync) {
    sync_gradients_ = sync;
  }

  /// Micro-batches whose gradients are added before the optimiser steps.
  [[nodiscard]] int num_steps() const {
    return num_steps_;
  }
  /// @param num_steps at least 1
  /// @throws ConfigError otherwise.
  void set_num_steps(int num_steps);

  /// Micro-batches since the counter was last reset.
  [[nodiscard]] std::int64_t step() const {
    return step_;
  }
  void set_step(std::int64_t step) {
    step_ = step;
  }

  /// Whether the last batch of a loader ends the accumulation, also when fewer
  /// than num_steps() micro-batches are in it.
  [[nodiscard]] bool sync_with_dataloader() const {
    return sync_with_dataloader_;
  }
  void set_sync_with_dataloader(bool sync) {
    sync_with_dataloader_ = sync;
  }

  /// Whether ranks exchange gradients after every micro-batch, which costs time
  /// and saves the memory of gradients kept apart.
  [[nodiscard]] bool sync_each_batch() const {
    return sync_each_batch_;
  }
  void set_sync_each_batch(bool sync) {
    sync_each_batch_ = sync;
  }

  /// Whether a sum that a loader's end cut short is divided by the number of
  /// micro-batches that are in it, and not by num_steps().
  [[nodiscard]] bool exact_last_window() const {
    return exact_last_window_;
  }
  void set_exact_last_window(bool exact) {
    exact_last_window_ = exact;
  }

  /// What the losses of the current micro-batch are divided by: num_steps(), or
  /// the length of a shorter last sum.
  [[nodiscard]] std::int64_t loss_divisor() const {
    const std::int64_t length = short_window_;
    return length > 0 ? length : num_steps_.load();
  }
  /// @param length of the current sum when it is shorter than num_steps(), else
  ///   0
  void set_short_window(std::int64_t length) {
    short_window_ = length;
  }

  /// The sum of micro-batches that name no model. Thread-safety: none.
  [[nodiscard]] AccumulationWindow& window() {
    return window_;
  }

  /// Makes `loader` the active one until it is removed or destroyed. Loaders
  /// nest: the one added last is active. Adding it again moves it to the top.
  void push_loader(const std::shared_ptr<const ActiveLoader>& loader);
  /// Removes `loader` wherever it is; does nothing when it is not there.
  void remove_loader(const ActiveLoader* loader);

  /// All loaders being iterated, innermost last.
  [[nodiscard]] std::vector<std::shared_ptr<const ActiveLoader>>
  active_loaders() const;
  /// The innermost loader being iterated, or null.
  [[nodiscard]] std::shared_ptr<const ActiveLoader> active_loader() const;
  /// Of the active loader; false outside a loader.
  [[nodiscard]] bool end_of_dataloader() const;
  /// Of the active loader; -1 outside a loader.
  [[nodiscard]] std::int64_t remainder() const;
  /// Of the active loader; -1 outside a loader.
  [[nodiscard]] std::int64_t valid_samples() const;

 private:
  std::atomic<bool> sync_gradients_ = true;
  std::atomic<int> num_steps_ = 1;
  std::atomic<std::int64_t> step_ = 0;
  std::atomic<bool> sync_with_dataloader_ = true;
  std::atomic<bool> sync_each_batch_ = false;
  std::atomic<bool> exact_last_window_ = false;
  std::atomic<std::int64_t> short_window_ = 0;
  AccumulationWindow window_;
  mutable std::mutex mutex_; // of the loaders
  // Innermost last. A loader that died without being removed is skipped.
  std::vector<std::weak_ptr<const ActiveLoader>> loaders_;
};

} // namespace accelerate
