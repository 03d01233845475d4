// accelerate/data/prefetch_impl.h: batches made by threads, taken in order.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/nested/batch.h"

namespace accelerate::data {

struct PrefetchPlan {
  std::int64_t num_batches = 0;
  int num_threads = 1;
  /// Batches that may be ready or in the making at once.
  std::int64_t capacity = 2;
};

/// Makes batch 0, 1, … num_batches - 1 on threads, at most `capacity` ahead of
/// the one that was taken last. The destructor stops and joins the threads; it
/// waits for at most one batch of each.
class ACCELERATE_API Prefetch {
 public:
  /// Makes batch `index` on thread `thread`.
  using Make = std::function<Batch(int thread, std::int64_t index)>;

  Prefetch(const PrefetchPlan& plan, Make make);
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;
  ~Prefetch();

  /// The next batch in order. Blocking: until it is ready.
  /// @throws whatever making that batch threw.
  [[nodiscard]] Batch take();

 private:
  struct Slot {
    std::optional<Batch> batch;
    std::exception_ptr failure;
  };

  void work(int thread);
  [[nodiscard]] Slot& slot_of(std::int64_t index) {
    return slots_[static_cast<std::size_t>(index % plan_.capacity)];
  }

  PrefetchPlan plan_;
  Make make_;
  std::mutex mutex_;
  std::condition_variable may_make_;
  std::condition_variable is_made_;
  std::vector<Slot> slots_; // [index mod capacity]
  std::int64_t next_to_make_ = 0;
  std::int64_t next_to_take_ = 0;
  bool is_stopping_ = false;
  std::vector<std::jthread> threads_; // last: they use everything above
};

} // namespace accelerate::data
