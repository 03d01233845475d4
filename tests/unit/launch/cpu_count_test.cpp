// tests/unit/launch/cpu_count_test.cpp: bounds that hold on every machine.
#include "accelerate/launch/cpu_count.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <set>
#include <thread>

namespace accelerate {
namespace {

TEST(CpuCount, LiesBetweenOneAndTheProcessors) {
  const int cores = physical_core_count();
  EXPECT_GE(cores, 1);
  EXPECT_LE(cores, static_cast<int>(std::thread::hardware_concurrency()));
}

TEST(CpuCount, SharesCoresAndNeverGivesNone) {
  const int cores = physical_core_count();
  EXPECT_EQ(threads_per_rank(1), cores);
  EXPECT_EQ(threads_per_rank(cores), 1);
  EXPECT_EQ(threads_per_rank(cores * 2 + 1), 1);
  EXPECT_EQ(threads_per_rank(0), cores);
}

TEST(CpuCount, ObeysTheAffinityMask) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &before)) {
        CPU_SET(cpu, &one);
        break;
      }
    }
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(physical_core_count(), 1);
  }).join();
}

TEST(CpuCount, SharesOutAllProcessorsOnce) {
  cpu_set_t mask;
  ASSERT_EQ(::sched_getaffinity(0, sizeof mask, &mask), 0);
  const int cores = physical_core_count();
  for (int ranks = 1; ranks <= cores; ++ranks) {
    std::set<int> given;
    for (int rank = 0; rank < ranks; ++rank) {
      const std::vector<int> processors = processors_of_rank({rank, ranks});
      EXPECT_FALSE(processors.empty());
      for (const int processor : processors) {
        EXPECT_TRUE(CPU_ISSET(static_cast<std::size_t>(processor), &mask));
        EXPECT_TRUE(given.insert(processor).second) << processor;
      }
    }
    EXPECT_EQ(static_cast<int>(given.size()), CPU_COUNT(&mask));
  }
  for (int rank = 0; rank < cores * 2 + 1; ++rank) {
    EXPECT_FALSE(processors_of_rank({rank, cores * 2 + 1}).empty());
  }
}

} // namespace
} // namespace accelerate
