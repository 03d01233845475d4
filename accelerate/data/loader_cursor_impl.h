// accelerate/data/loader_cursor_impl.h: which epoch a loader is in, and how far
// its user has come.
#pragma once

#include <cstdint>
#include <mutex>

namespace accelerate::data {

struct Place {
  std::int64_t epoch = 0;
  /// In the epoch's order, of all ranks together.
  std::int64_t position = 0;
  [[nodiscard]] bool operator==(const Place&) const = default;
};

/// Shared by a loader and those that skip its first batches. Thread-safety:
/// safe.
class LoaderCursor {
 public:
  explicit LoaderCursor(std::int64_t epoch = 0)
      : next_{.epoch = epoch}, shown_(next_) {}

  /// Where the pass begins that starts now. A place that was loaded counts for
  /// one pass.
  [[nodiscard]] Place begin_pass() {
    const std::lock_guard lock(mutex_);
    shown_ = next_;
    next_.position = 0;
    return shown_;
  }
  /// The user has taken everything before `place`.
  void advance(const Place& place) {
    const std::lock_guard lock(mutex_);
    shown_ = place;
  }
  /// A pass over `epoch` reached its end. The next one begins, unless another
  /// place was chosen meanwhile.
  void finish_pass(std::int64_t epoch) {
    const std::lock_guard lock(mutex_);
    if (next_ == Place{.epoch = epoch}) {
      next_.epoch = epoch + 1;
    }
    shown_ = next_;
  }
  /// Chooses the next pass's epoch. A place in the middle of it that was loaded
  /// stays, so that a loop that names its epoch can be resumed.
  void set_epoch(std::int64_t epoch) {
    const std::lock_guard lock(mutex_);
    if (next_.epoch != epoch) {
      next_ = {.epoch = epoch};
    }
    shown_ = next_;
  }
  void load(const Place& place) {
    const std::lock_guard lock(mutex_);
    next_ = place;
    shown_ = place;
  }

  [[nodiscard]] std::int64_t epoch() const {
    const std::lock_guard lock(mutex_);
    return next_.epoch;
  }
  /// What the user has taken; before a pass, where it will begin.
  [[nodiscard]] Place place() const {
    const std::lock_guard lock(mutex_);
    return shown_;
  }

 private:
  mutable std::mutex mutex_;
  Place next_;
  Place shown_;
};

} // namespace accelerate::data
