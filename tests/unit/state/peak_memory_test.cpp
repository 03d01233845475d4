// tests/unit/state/peak_memory_test.cpp
#include "accelerate/state/peak_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

namespace accelerate {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

/// Uses memory and gives it back.
void use(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(bytes);
  const std::unique_ptr<char[]> block(new char[size]);
  std::memset(block.get(), 1, size);
  volatile char last = block[size - 1];
  (void)last;
}

TEST(PeakMemory, RemembersWhatWasGivenBack) {
  const bool began_anew = reset_peak_memory();
  const auto before = peak_memory();
  EXPECT_GT(before.resident_bytes, kMiB);
  use(200 * kMiB);
  const auto after = peak_memory();
  EXPECT_GT(after.resident_bytes, 190 * kMiB);
  if (began_anew) {
    EXPECT_GT(after.resident_bytes - before.resident_bytes, 150 * kMiB);
    reset_peak_memory();
    EXPECT_LT(peak_memory().resident_bytes, after.resident_bytes - 150 * kMiB);
  }
}

} // namespace
} // namespace accelerate
