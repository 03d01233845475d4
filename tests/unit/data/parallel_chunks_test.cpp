// tests/unit/data/parallel_chunks_test.cpp
#include "accelerate/data/parallel_chunks_impl.h"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "throws_with.h"

namespace accelerate::data {
namespace {

TEST(ParallelChunks, CoversEveryRowOnce) {
  for (const std::int64_t rows : {0, 1, 2, 7, 1000}) {
    for (const std::int64_t chunk_rows : {1, 3, 2000}) {
      for (const int threads : {1, 2, 4}) {
        std::vector<std::atomic<int>> visits(static_cast<std::size_t>(rows));
        parallel_chunks(
            {.num_rows = rows,
             .chunk_rows = chunk_rows,
             .num_threads = threads},
            [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
              EXPECT_EQ(begin, chunk * chunk_rows);
              for (std::int64_t row = begin; row < end; ++row) {
                ++visits[static_cast<std::size_t>(row)];
              }
            });
        for (const auto& count : visits) {
          EXPECT_EQ(count, 1);
        }
      }
    }
  }
}

// Chunks 20 and 21 run at the same time and fail one after the other, in both
// orders.
TEST(ParallelChunks, RethrowsTheEarliestFailure) {
  for (const std::int64_t first : {20, 21}) {
    std::atomic<int> running = 0;
    std::atomic<bool> has_failed = false;
    EXPECT_EQ(
        message_of<std::runtime_error>([&] {
          parallel_chunks(
              {.num_rows = 100, .num_threads = 4},
              [&](std::int64_t chunk, std::int64_t, std::int64_t) {
                if (chunk != 20 && chunk != 21) {
                  return;
                }
                ++running;
                while (running < 2 || (chunk != first && !has_failed)) {
                  std::this_thread::yield();
                }
                if (chunk == first) {
                  has_failed = true;
                } else {
                  std::this_thread::sleep_for(std::chrono::milliseconds(20));
                }
                throw std::runtime_error(std::to_string(chunk));
              });
        }),
        "20");
  }
}

} // namespace
} // namespace accelerate::data
