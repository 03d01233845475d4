// tests/unit/comm/process_order_test.cpp: a world of one.
#include "accelerate/comm/process_order.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace accelerate {
namespace {

TEST(ProcessOrder, TheOnlyProcessRunsOnce) {
  int count = 0;
  main_process_first(ProcessGroup(), [&] { ++count; });
  EXPECT_EQ(count, 1);
}

TEST(ProcessOrder, TheExceptionOfTheFirstIsItsOwn) {
  EXPECT_THROW(
      main_process_first(
          ProcessGroup(), [] { throw std::out_of_range("no disk"); }),
      std::out_of_range);
}

} // namespace
} // namespace accelerate
