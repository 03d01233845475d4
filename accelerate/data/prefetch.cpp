// accelerate/data/prefetch.cpp: a ring of slots under one mutex; a batch takes
// microseconds to make, so finer locking would gain nothing.
#include "accelerate/data/prefetch_impl.h"

#include <utility>

namespace accelerate::data {

Prefetch::Prefetch(const PrefetchPlan& plan, Make make)
    : plan_(plan),
      make_(std::move(make)),
      slots_(static_cast<std::size_t>(plan.capacity)) {
  for (int thread = 0; thread < plan.num_threads; ++thread) {
    threads_.emplace_back([this, thread] { work(thread); });
  }
}

Prefetch::~Prefetch() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  may_make_.notify_all();
}

void Prefetch::work(int thread) {
  std::unique_lock lock(mutex_);
  while (true) {
    may_make_.wait(lock, [&] {
      return is_stopping_ || next_to_make_ < next_to_take_ + plan_.capacity;
    });
    if (is_stopping_) {
      return;
    }
    const std::int64_t index = next_to_make_++;
    lock.unlock();
    Slot made{.round = std::nullopt, .failure = nullptr, .is_made = true};
    try {
      made.round = make_(thread, index);
    } catch (...) {
      made.failure = std::current_exception();
    }
    lock.lock();
    is_stopping_ = is_stopping_ || (!made.round && !made.failure);
    slot_of(index) = std::move(made);
    if (index == next_to_take_) {
      is_made_.notify_one();
    }
  }
}

std::optional<Round> Prefetch::next() {
  Slot taken;
  {
    std::unique_lock lock(mutex_);
    Slot& slot = slot_of(next_to_take_);
    is_made_.wait(lock, [&] { return slot.is_made; });
    if (!slot.round && !slot.failure) {
      return std::nullopt; // and so it stays
    }
    taken = std::exchange(slot, Slot());
    ++next_to_take_;
  }
  may_make_.notify_one();
  if (taken.failure) {
    std::rethrow_exception(taken.failure);
  }
  return std::move(taken.round);
}

} // namespace accelerate::data
