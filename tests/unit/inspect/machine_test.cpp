// tests/unit/inspect/machine_test.cpp: machines made of files.
#include "accelerate/inspect/machine.h"

#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace accelerate::inspect {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Pair;

class FakeMachine : public ::testing::Test {
 protected:
  void add(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  [[nodiscard]] Machine read() const {
    return read_machine(root_.path());
  }

  test::TempDir root_;
};

TEST_F(FakeMachine, WithoutFilesIsUnknownButReadable) {
  const Machine machine = read();
  EXPECT_EQ(machine.processor, "");
  EXPECT_EQ(machine.memory_bytes, 0U);
  EXPECT_EQ(machine.memory_limit_bytes, std::nullopt);
  EXPECT_TRUE(machine.gpus.empty());
  EXPECT_GE(machine.cores_allowed, 1);
  EXPECT_GE(machine.processors_allowed, machine.cores_allowed);
  EXPECT_GE(machine.processors, machine.processors_allowed);
}

TEST_F(FakeMachine, NamesTheInstructionsOfItsProcessor) {
  add("proc/cpuinfo",
      "processor\t: 0\nmodel name\t: A Processor @ 2 GHz\n"
      "flags\t\t: fpu avx2 avx512f amx_bf16 avx512_bf16x\n\n"
      "processor\t: 1\nflags\t\t: amx_int8\n");
  const Machine machine = read();
  EXPECT_EQ(machine.processor, "A Processor @ 2 GHz");
  EXPECT_THAT(machine.features, Contains(Pair("AVX2", true)));
  EXPECT_THAT(machine.features, Contains(Pair("AMX-BF16", true)));
  EXPECT_THAT(machine.features, Contains(Pair("AMX-INT8", false)));
  EXPECT_THAT(machine.features, Contains(Pair("AVX512-BF16", false)));
  add("proc/cpuinfo", "Features\t: fp asimd bf16\n");
  EXPECT_THAT(
      read().features,
      ElementsAre(
          Pair("NEON", true),
          Pair("SVE", false),
          Pair("BF16", true),
          Pair("I8MM", false)));
}

TEST_F(FakeMachine, TakesTheLeastLimitOfItsControlGroups) {
  add("proc/meminfo", "MemTotal:       1000 kB\nMemAvailable:    400 kB\n");
  EXPECT_EQ(read().memory_bytes, 1'024'000U);
  EXPECT_EQ(read().memory_available_bytes, 409'600U);
  add("proc/self/cgroup", "0::/outer/inner\n");
  add("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  EXPECT_EQ(read().memory_limit_bytes, std::nullopt);
  add("sys/fs/cgroup/outer/memory.max", "500\n");
  EXPECT_EQ(read().memory_limit_bytes, 500U);
  add("sys/fs/cgroup/memory.max", "300\n");
  EXPECT_EQ(read().memory_limit_bytes, 300U);
  // Version 1 of the interface; no limit is a number above all memory.
  add("proc/self/cgroup", "7:cpu:/x\n9:memory:/job\n");
  add("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(read().memory_limit_bytes, std::nullopt);
  add("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "200");
  EXPECT_EQ(read().memory_limit_bytes, 200U);
}

TEST_F(FakeMachine, NamesItsDevices) {
  add("dev/nvidia0", "");
  add("dev/nvidia1", "");
  add("dev/nvidiactl", "");
  EXPECT_THAT(read().gpus, ElementsAre("NVIDIA GPU", "NVIDIA GPU"));
  add("proc/driver/nvidia/version",
      "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar\n");
  add("proc/driver/nvidia/gpus/0000:02:00.0/information", "Model:\tSecond\n");
  add("proc/driver/nvidia/gpus/0000:01:00.0/information",
      "Model: \t\t NVIDIA H200\nIRQ: 1\n");
  EXPECT_THAT(read().gpus, ElementsAre("NVIDIA H200", "Second"));
  EXPECT_EQ(read().gpu_driver, "550.54.15");
}

} // namespace
} // namespace accelerate::inspect
