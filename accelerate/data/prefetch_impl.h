// accelerate/data/prefetch_impl.h: rounds made by threads, taken in order.
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
#include "accelerate/data/round_source_impl.h"

namespace accelerate::data {

struct PrefetchPlan {
  int num_threads = 1;
  /// Rounds that may be ready or in the making at once.
  std::int64_t capacity = 2;
};

/// Makes round 0, 1, … on threads, at most `capacity` ahead of the one that was
/// taken last, until one of them is nothing. The destructor stops and joins the
/// threads; it waits for at most one round of each.
class ACCELERATE_API Prefetch final : public RoundSource {
 public:
  /// Makes round `index` on thread `thread`; nothing behind the last one.
  using Make =
      std::function<std::optional<Round>(int thread, std::int64_t index)>;

  Prefetch(const PrefetchPlan& plan, Make make);
  ~Prefetch() override;

  /// @throws whatever making that round threw.
  [[nodiscard]] std::optional<Round> next() override;

 private:
  struct Slot {
    std::optional<Round> round;
    std::exception_ptr failure;
    bool is_made = false;
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
  // Nothing more is made once a round was nothing.
  bool is_stopping_ = false;
  std::vector<std::jthread> threads_; // last: they use everything above
};

} // namespace accelerate::data
