// tests/unit/launch/gpu_count_test.cpp: odd lists, then device files.
#include "accelerate/launch/gpu_count.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_dir.h"

namespace accelerate {
namespace {

EnvironmentLookup visible(std::optional<std::string> list) {
  return [list](const std::string& name) {
    return name == "CUDA_VISIBLE_DEVICES" ? list : std::nullopt;
  };
}

TEST(GpuCount, CountsTheEntriesOfTheVariable) {
  for (const auto& [list, count] :
       {std::pair{"", 0},
        {"-1", 0},
        {",0", 0},
        {"0", 1},
        {"0,2", 2},
        {"0,2,", 2},
        {"0,-1,2", 1},
        {"GPU-12ab,GPU-34cd,MIG-1", 3}}) {
    EXPECT_EQ(visible_gpu_count(visible(list), "/gone"), count) << list;
  }
}

TEST(GpuCount, CountsDeviceFilesOtherwise) {
  EXPECT_EQ(visible_gpu_count(visible(std::nullopt), "/gone"), 0);
  test::TempDir dir;
  for (const char* name :
       {"nvidia0",
        "nvidia1",
        "nvidia12",
        "nvidiactl",
        "nvidia",
        "nvidia-uvm"}) {
    std::ofstream(dir / name) << "";
  }
  EXPECT_EQ(visible_gpu_count(visible(std::nullopt), dir.path()), 3);
  EXPECT_EQ(visible_gpu_count(visible("1"), dir.path()), 1);
}

} // namespace
} // namespace accelerate
