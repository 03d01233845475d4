// tests/dist/launch/log_test.cpp: a file per attempt, rank and stream.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "accelerate/error.h"
#include "tests/support/run_ranks.h"
#include "tests/support/started_program.h"

namespace accelerate::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class LaunchLog : public testing::Test {
 protected:
  LaunchOptions logged_job(const std::vector<std::string>& args) {
    return {
        .program = built_program("rank_actor"),
        .args = args,
        .num_processes = 2,
        .deadline = 60s,
        .output = RankOutput::kCapture,
        .log_dir = dir_.path() / "logs",
        .run_id = "run",
        .signals = LauncherSignals::kLeaveAlone};
  }
  /// Of `ATTEMPT/RANK/NAME`.
  [[nodiscard]] std::string logged(const std::string& path) const {
    return read_text(dir_.path() / "logs/run" / ("attempt_" + path));
  }
  [[nodiscard]] bool is_there(const std::string& path) const {
    return std::filesystem::exists(
        dir_.path() / "logs/run" / ("attempt_" + path));
  }
  TempDir dir_;
};

TEST_F(LaunchLog, KeepsEachStreamOfEachRankAndAttemptAsItWasWritten) {
  LaunchOptions job = logged_job(
      {"out=one\\rtwo\\n",
       "err=unfinished",
       "0:out=zero",
       "1:@0:exit=1",
       "@0:sleep=60000"});
  job.max_restarts = 1;
  const LaunchResult result = Launcher(job).run();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(logged("0/1/stdout.log"), "one\rtwo\n");
  EXPECT_EQ(logged("0/1/stderr.log"), "unfinished");
  EXPECT_EQ(logged("1/0/stdout.log"), "one\rtwo\nzero");
  EXPECT_EQ(logged("1/1/stderr.log"), "unfinished");
  // It is passed on as well.
  EXPECT_EQ(result.ranks[0].out, "one\rtwo\nzero\n");
}

TEST_F(LaunchLog, KeepsTheStreamsThatWereAskedFor) {
  LaunchOptions job = logged_job({"out=o\\n", "err=e\\n"});
  job.logged = LoggedStreams::parse("1:2");
  EXPECT_EQ(Launcher(job).run().exit_code, 0);
  EXPECT_FALSE(is_there("0/0/stdout.log"));
  EXPECT_FALSE(is_there("0/0/stderr.log"));
  EXPECT_FALSE(is_there("0/1/stdout.log"));
  EXPECT_EQ(logged("0/1/stderr.log"), "e\n");
}

TEST_F(LaunchLog, KeepsAllOfALargeOutput) {
  LaunchOptions job = logged_job({"1:megabytes=100"});
  EXPECT_EQ(Launcher(job).run().exit_code, 0);
  const auto file = dir_.path() / "logs/run/attempt_0/1/stdout.log";
  EXPECT_GE(std::filesystem::file_size(file), 100'000'000U);
}

TEST_F(LaunchLog, ReadsWhatTorchRecordedOfAFailure) {
  const LaunchResult result =
      Launcher(
          logged_job({"1:record=ValueError: x", "1:exit=1", "sleep=60000"}))
          .run();
  ASSERT_EQ(result.first_failed_rank, 1);
  EXPECT_EQ(result.ranks[1].recorded_error, "ValueError: x");
  EXPECT_TRUE(is_there("0/1/error.json"));
  EXPECT_EQ(result.ranks[0].recorded_error, "");
}

/// Files of this process can be no longer than `bytes` while it lives.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  rlimit before_{};
};

TEST_F(LaunchLog, GoesOnWithoutLogsWhenThereIsNoRoom) {
  LaunchOptions job = logged_job({"megabytes=2"});
  const FileLimit limit(100'000);
  const LaunchResult result = Launcher(job).run();
  EXPECT_EQ(result.exit_code, 0);
  for (const RankOutcome& rank : result.ranks) {
    EXPECT_GE(rank.out.size(), 2'000'000U);
    EXPECT_EQ(
        logged(concat("0/", rank.global_rank, "/stdout.log")),
        rank.out.substr(0, 100'000));
  }
}

TEST_F(LaunchLog, StartsNothingWithoutItsFolder) {
  LaunchOptions job = logged_job({"ready=" + (dir_ / "ready").string()});
  job.log_dir = "/dev/null/logs";
  EXPECT_THROW(static_cast<void>(Launcher(job).run()), ConfigError);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "ready"));
}

} // namespace
} // namespace accelerate::test
