// tests/unit/data/prefetch_test.cpp
#include "accelerate/data/prefetch_impl.h"

#include <atomic>
#include <chrono>
#include <stdexcept>

#include <ATen/ops/full.h>

#include "throws_with.h"

namespace accelerate::data {
namespace {

Batch numbered(std::int64_t index) {
  return {{"n", at::full({1}, index)}};
}

TEST(Prefetch, KeepsTheOrderWhicheverThreadIsFaster) {
  for (const int threads : {1, 2, 4}) {
    Prefetch prefetch(
        {.num_batches = 40, .num_threads = threads, .capacity = 5},
        [](int, std::int64_t index) {
          std::this_thread::sleep_for(
              std::chrono::microseconds(index % 3 == 0 ? 500 : 0));
          return numbered(index);
        });
    for (std::int64_t i = 0; i < 40; ++i) {
      EXPECT_EQ(prefetch.take()["n"].item<std::int64_t>(), i);
    }
  }
}

TEST(Prefetch, StaysWithinItsCapacity) {
  std::atomic<std::int64_t> made = 0;
  std::atomic<std::int64_t> taken = 0;
  std::atomic<std::int64_t> worst = 0;
  Prefetch prefetch(
      {.num_batches = 100, .num_threads = 3, .capacity = 4},
      [&](int, std::int64_t index) {
        const std::int64_t ahead = ++made - taken;
        std::int64_t seen = worst;
        while (ahead > seen && !worst.compare_exchange_weak(seen, ahead)) {
        }
        return numbered(index);
      });
  for (int i = 0; i < 100; ++i) {
    (void)prefetch.take();
    ++taken;
  }
  // A batch counts as taken only after take() has returned: one more.
  EXPECT_LE(worst, 5);
}

TEST(Prefetch, RethrowsAtTheBatchThatFailed) {
  Prefetch prefetch(
      {.num_batches = 10, .num_threads = 2, .capacity = 4},
      [](int, std::int64_t index) {
        if (index == 2) {
          throw std::runtime_error("batch 2");
        }
        return numbered(index);
      });
  (void)prefetch.take();
  (void)prefetch.take();
  EXPECT_EQ(
      message_of<std::runtime_error>([&] { (void)prefetch.take(); }),
      "batch 2");
}

TEST(Prefetch, CanBeDroppedAtAnyTime) {
  for (int taken = 0; taken < 4; ++taken) {
    Prefetch prefetch(
        {.num_batches = 1000, .num_threads = 3, .capacity = 6},
        [](int, std::int64_t index) { return numbered(index); });
    for (int i = 0; i < taken; ++i) {
      (void)prefetch.take();
    }
  }
}

} // namespace
} // namespace accelerate::data
