// tests/dist/launch/output_test.cpp: lines stay whole, memory stays bounded, a
// slow reader hides nothing.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>

#include "tests/dist/launch/launched_job.h"

namespace accelerate::test {
namespace {

using namespace std::chrono_literals;
using launch::FileDescriptor;
using testing::HasSubstr;
using testing::Not;

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) == 0) {
      read = FileDescriptor(ends[0]);
      write = FileDescriptor(ends[1]);
    }
  }
  FileDescriptor read;
  FileDescriptor write;
};

/// Peak resident memory of a running process in KiB.
long peak_kib(pid_t pid) {
  const std::string status =
      read_text("/proc/" + std::to_string(pid) + "/status");
  const std::size_t at = status.find("VmHWM:");
  return at == std::string::npos ? -1 : std::atol(status.c_str() + at + 6);
}

TEST(LaunchOutput, MarksLinesOfOtherRanksAndKeepsStreamsApart) {
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args = launch_args(
           2,
           {"0:out=from zero\\n",
            "1:sleep=100",
            "1:out=a\\nb",
            "1:err=c\\n"})});
  EXPECT_EQ(program.wait_code(), 0);
  EXPECT_EQ(program.out(), "from zero\n[rank 1] a\n[rank 1] b\n");
  EXPECT_EQ(program.err(), "[rank 1] c\n");
}

TEST(LaunchOutput, PassesProgressBarsOfRankZeroOnAndEndStatesOfOthers) {
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args =
           launch_args(2, {"err= 1%\\r 2%\\r", "1:sleep=100", "err=100%\\n"})});
  EXPECT_EQ(program.wait_code(), 0);
  EXPECT_EQ(program.err(), " 1%\r 2%\r100%\n[rank 1] 100%\n");
}

TEST(LaunchOutput, GivesASingleRankTheStreamsThemselves) {
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args = launch_args(1, {"out=no newline", "err=x"})});
  EXPECT_EQ(program.wait_code(), 0);
  EXPECT_EQ(program.out(), "no newline");
  EXPECT_EQ(program.err(), "x");
}

TEST(LaunchOutput, ReadsStandardInputInRankZeroOnly) {
  Pipe pipe;
  ASSERT_EQ(::write(pipe.write.get(), "hello", 5), 5);
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args = launch_args(2, {"1:sleep=100", "stdin"}),
       .stdin_fd = pipe.read.get()});
  EXPECT_EQ(program.wait_code(), 0);
  EXPECT_EQ(program.out(), "stdin 5\n[rank 1] stdin 0\n");
}

TEST(LaunchOutput, CarriesHundredMegabytesInWholeLinesAndBoundedMemory) {
  Pipe pipe;
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args = launch_args(2, {"megabytes=50"}),
       .stdout_fd = pipe.write.get()});
  pipe.write.reset();
  const std::string line_of[2] = {
      "rank 0" + std::string(90, '0'),
      "[rank 1] rank 1" + std::string(90, '1')};
  std::array<std::size_t, 2> lines{};
  std::vector<char> buffer(1 << 18);
  std::string text;
  long peak = 0;
  for (ssize_t got = 0;
       (got = ::read(pipe.read.get(), buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end = 0;
         (end = text.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      const std::string_view line(text.data() + begin, end - begin);
      const std::size_t rank = line.starts_with('[') ? 1 : 0;
      ASSERT_EQ(line, line_of[rank]);
      ++lines[rank];
    }
    text.erase(0, begin);
    peak = std::max(peak, peak_kib(program.pid()));
  }
  EXPECT_EQ(text, "");
  EXPECT_EQ(program.wait_code(), 0);
  EXPECT_GT(lines[0] * 97, 50'000'000U);
  EXPECT_EQ(lines[0], lines[1]);
  EXPECT_LT(peak, 16'384) << "KiB of memory";
  RecordProperty("peak_kib", static_cast<int>(peak));
}

TEST(LaunchOutput, NoticesAFailedRankThoughNobodyReads) {
  Pipe pipe;
  LaunchedJob job(
      2,
      {},
      {"1:sleep=100", "1:exit=3", "megabytes=100"},
      {.stdout_fd = pipe.write.get()});
  pipe.write.reset();
  ASSERT_TRUE(job.is_ready());
  // Rank 0 is blocked by the full pipe, and must be ended all the same.
  EXPECT_TRUE(eventually([&] { return job.no_rank_runs(); }, 5s));
  EXPECT_TRUE(eventually([&] {
    return job.program().err().find("exited with code 3") != std::string::npos;
  })) << job.program().err();
  pipe.read.reset();
  EXPECT_EQ(job.program().wait_code(), 3);
}

TEST(LaunchOutput, LetsRanksNoticeThatTheReaderIsGone) {
  Pipe pipe;
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args = launch_args(2, {"megabytes=100"}),
       .stdout_fd = pipe.write.get()});
  pipe.write.reset();
  pipe.read.reset();
  // As in `yes | head`: the ranks die of SIGPIPE.
  EXPECT_EQ(program.wait_code(), 128 + SIGPIPE);
}

TEST(LaunchOutput, DoesNotWaitForWhatRanksLeftBehind) {
  // The child keeps the rank's pipe open.
  const auto begin = std::chrono::steady_clock::now();
  StartedProgram program(
      {.program = ACCELERATE_CLI, .args = launch_args(2, {"spawn"})});
  EXPECT_EQ(program.wait_code(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

} // namespace
} // namespace accelerate::test
