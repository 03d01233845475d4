// tests/unit/root/log_test.cpp: what reaches standard error, and how it looks.
#include "accelerate/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

namespace accelerate {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

class Log : public ::testing::Test {
 protected:
  void TearDown() override {
    set_log_level(level_);
    set_log_identity(identity_);
  }

  static std::string lines_of(const std::function<void()>& work) {
    CaptureStderr();
    work();
    return GetCapturedStderr();
  }

 private:
  LogLevel level_ = log_level();
  LogIdentity identity_ = log_identity();
};

TEST_F(Log, ShowsTimeLevelAreaAndMessage) {
  set_log_level(LogLevel::kDebug);
  const std::string time = R"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8} )";
  const auto shows = [&](const std::string& line) {
    return ::testing::MatchesRegex(time + line + "\n");
  };
  EXPECT_THAT(
      lines_of([] { log_debug("io", "a"); }), shows("D accelerate io: a"));
  EXPECT_THAT(
      lines_of([] { log_info("io", "a"); }), shows("I accelerate io: a"));
  EXPECT_THAT(
      lines_of([] { log_warning("io", "a"); }), shows("W accelerate io: a"));
  EXPECT_THAT(
      lines_of([] { log_error("io", "a"); }), shows("E accelerate io: a"));
}

TEST_F(Log, DropsWhatIsBelowTheLevel) {
  const auto all = [] {
    log_debug("io", "1");
    log_info("io", "2");
    log_warning("io", "3");
    log_error("io", "4");
  };
  const auto count = [&](LogLevel level) {
    set_log_level(level);
    const std::string lines = lines_of(all);
    return std::count(lines.begin(), lines.end(), '\n');
  };
  EXPECT_EQ(count(LogLevel::kDebug), 4);
  EXPECT_EQ(count(LogLevel::kInfo), 3);
  EXPECT_EQ(count(LogLevel::kWarning), 2);
  EXPECT_EQ(count(LogLevel::kError), 1);
  EXPECT_EQ(count(LogLevel::kOff), 0);
}

TEST_F(Log, ShowsTheRankInAWorldLargerThanOne) {
  set_log_identity({.global_rank = 3, .world_size = 8});
  EXPECT_THAT(
      lines_of([] { log_error("comm", "late"); }),
      ::testing::HasSubstr(" E accelerate[3/8] comm: late\n"));
}

TEST_F(Log, MainLinesComeFromRankZeroOnly) {
  const auto line = [] { log_main(LogLevel::kError, "io", "once"); };
  set_log_identity({.global_rank = 1, .world_size = 2});
  EXPECT_EQ(lines_of(line), "");
  set_log_identity({.global_rank = 0, .world_size = 2});
  EXPECT_THAT(lines_of(line), ::testing::HasSubstr("io: once"));
}

TEST_F(Log, WritesNothingToStandardOutput) {
  CaptureStdout();
  lines_of([] { log_error("io", "a"); });
  EXPECT_EQ(GetCapturedStdout(), "");
}

} // namespace
} // namespace accelerate
