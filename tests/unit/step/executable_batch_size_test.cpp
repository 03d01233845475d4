// tests/unit/step/executable_batch_size_test.cpp: one process; several are in
// tests/dist/check_ranks.cpp.
#include "accelerate/step/executable_batch_size.h"

#include <ATen/ops/empty.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <vector>

#include "accelerate/error.h"

namespace accelerate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

std::vector<std::int64_t> sizes_tried(
    std::int64_t fits,
    const BatchSizeOptions& options) {
  std::vector<std::int64_t> tried;
  const auto found = find_executable_batch_size(
      ProcessGroup(), options, [&](std::int64_t size) {
        tried.push_back(size);
        if (size > fits) {
          throw std::bad_alloc();
        }
      });
  EXPECT_EQ(found, tried.back());
  return tried;
}

TEST(ExecutableBatchSize, ShrinksByATenth) {
  EXPECT_THAT(
      sizes_tried(72, {.starting_batch_size = 100}),
      ElementsAre(100, 90, 81, 72));
  EXPECT_THAT(sizes_tried(128, {}), ElementsAre(128));
  EXPECT_THAT(
      sizes_tried(1, {.starting_batch_size = 4}), ElementsAre(4, 3, 2, 1));
}

TEST(ExecutableBatchSize, AsksTheCallerForTheNextSize) {
  EXPECT_THAT(
      sizes_tried(
          20,
          {.starting_batch_size = 64,
           .reduce_batch_size = [](std::int64_t size) { return size / 2; }}),
      ElementsAre(64, 32, 16));
}

TEST(ExecutableBatchSize, EndsAtZero) {
  EXPECT_THAT(
      [] { sizes_tried(0, {.starting_batch_size = 2}); },
      ThrowsMessage<ConfigError>(HasSubstr("any batch size from 2 down")));
  EXPECT_THROW(sizes_tried(1, {.starting_batch_size = 0}), ConfigError);
}

TEST(ExecutableBatchSize, PassesOtherErrorsAtOnce) {
  int calls = 0;
  EXPECT_THROW(
      find_executable_batch_size(
          ProcessGroup(),
          {},
          [&](std::int64_t) {
            ++calls;
            throw std::runtime_error("out of patience");
          }),
      std::runtime_error);
  EXPECT_EQ(calls, 1);
}

TEST(OutOfMemory, IsWhatAllocatorsSay) {
  try {
    (void)at::empty({std::int64_t{1} << 60}, at::kByte);
    FAIL();
  } catch (const std::exception& error) {
    EXPECT_TRUE(is_out_of_memory(error)) << error.what();
  }
  EXPECT_TRUE(is_out_of_memory(std::bad_alloc()));
  EXPECT_TRUE(is_out_of_memory(
      std::runtime_error("CUDA out of memory. Tried to allocate 2.00 GiB")));
  EXPECT_FALSE(is_out_of_memory(std::runtime_error("out of range")));
  EXPECT_FALSE(is_out_of_memory(std::logic_error("CUDA out of memory")));
}

} // namespace
} // namespace accelerate
