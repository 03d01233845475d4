// tests/unit/data/prefetch_test.cpp
#include "accelerate/data/prefetch_impl.h"

#include <atomic>
#include <chrono>
#include <stdexcept>

#include "throws_with.h"

namespace accelerate::data {
namespace {

/// Round `index` of 40, nothing behind them.
std::optional<Round> numbered(std::int64_t index) {
  if (index >= 40) {
    return std::nullopt;
  }
  return Round{.batches = {}, .position = index};
}

TEST(Prefetch, KeepsTheOrderWhicheverThreadIsFaster) {
  for (const int threads : {1, 2, 4}) {
    Prefetch prefetch(
        {.num_threads = threads, .capacity = 5}, [](int, std::int64_t index) {
          std::this_thread::sleep_for(
              std::chrono::microseconds(index % 3 == 0 ? 500 : 0));
          return numbered(index);
        });
    for (std::int64_t i = 0; i < 40; ++i) {
      const auto round = prefetch.next();
      ASSERT_TRUE(round.has_value());
      EXPECT_EQ(round->position, i);
    }
    EXPECT_FALSE(prefetch.next().has_value());
    EXPECT_FALSE(prefetch.next().has_value()); // and so it stays
  }
}

TEST(Prefetch, StaysWithinItsCapacity) {
  std::atomic<std::int64_t> made = 0;
  std::atomic<std::int64_t> taken = 0;
  std::atomic<std::int64_t> worst = 0;
  Prefetch prefetch(
      {.num_threads = 3, .capacity = 4}, [&](int, std::int64_t index) {
        const std::int64_t ahead = ++made - taken;
        std::int64_t seen = worst;
        while (ahead > seen && !worst.compare_exchange_weak(seen, ahead)) {
        }
        return numbered(index);
      });
  for (int i = 0; i < 40; ++i) {
    (void)prefetch.next();
    ++taken;
  }
  // A batch counts as taken only after next() has returned: one more.
  EXPECT_LE(worst, 5);
}

TEST(Prefetch, RethrowsAtTheBatchThatFailed) {
  Prefetch prefetch(
      {.num_threads = 2, .capacity = 4}, [](int, std::int64_t index) {
        if (index == 2) {
          throw std::runtime_error("batch 2");
        }
        return numbered(index);
      });
  (void)prefetch.next();
  (void)prefetch.next();
  EXPECT_EQ(
      message_of<std::runtime_error>([&] { (void)prefetch.next(); }),
      "batch 2");
}

TEST(Prefetch, EndsAtOnceWhenThereIsNothing) {
  Prefetch prefetch({.num_threads = 3, .capacity = 3}, [](int, std::int64_t) {
    return std::nullopt;
  });
  EXPECT_FALSE(prefetch.next().has_value());
}

TEST(Prefetch, CanBeDroppedAtAnyTime) {
  for (int taken = 0; taken < 4; ++taken) {
    Prefetch prefetch(
        {.num_threads = 3, .capacity = 6},
        [](int, std::int64_t index) { return numbered(index); });
    for (int i = 0; i < taken; ++i) {
      (void)prefetch.next();
    }
  }
}

} // namespace
} // namespace accelerate::data
