// tests/unit/launch/job_report_test.cpp: what a failed rank's report says, and
// in which order.
#include "accelerate/launch/job_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace accelerate::launch {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

RankOutcome outcome() {
  RankOutcome failed;
  failed.global_rank = 1;
  failed.pid = 4711;
  failed.duration = std::chrono::milliseconds{2500};
  return failed;
}

TEST(JobReport, BeginsWithRankHostAndExitCode) {
  RankOutcome failed = outcome();
  failed.exit_code = 3;
  failed.last_lines = {"one", "", "three"};
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  EXPECT_EQ(
      failure_report(
          failed, {.program = "./train", .num_processes = 3}, {0, 2}),
      std::string("accelerate launch: rank 1 of 3 on ") + host +
          " exited with code 3 (process 4711, after 2.5 s, program "
          "'./train')\n"
          "accelerate launch: last lines of rank 1:\n"
          "  | one\n  | \n  | three\n"
          "accelerate launch: ending ranks 0, 2 with SIGTERM, after 10 s "
          "with SIGKILL\n");
}

TEST(JobReport, ShowsTheTracebackInsteadOfTheLastLines) {
  RankOutcome failed = outcome();
  failed.exit_code = 1;
  failed.last_lines = {"shown before", "ValueError: x"};
  const std::string report = failure_report(
      failed,
      {.program = "train.py", .num_processes = 2},
      {},
      {"Traceback (most recent call last):\n  File\nValueError: x"});
  EXPECT_THAT(report, HasSubstr("program 'train.py'): ValueError: x\n"));
  EXPECT_THAT(
      report,
      HasSubstr(
          "last lines of rank 1:\n  | Traceback (most recent call last):\n"
          "  |   File\n  | ValueError: x\n"));
  EXPECT_THAT(report, Not(HasSubstr("shown before")));
}

TEST(JobReport, SaysLittleWhenItIsToBeQuiet) {
  RankOutcome failed = outcome();
  failed.exit_code = 3;
  failed.last_lines = {"last"};
  const LaunchOptions options{
      .program = "train.py", .num_processes = 2, .quiet = true};
  const std::string report = failure_report(failed, options, {0});
  EXPECT_THAT(report, HasSubstr("exited with code 3"));
  EXPECT_EQ(report.find('\n'), report.size() - 1);
  EXPECT_THAT(
      failure_report(
          failed,
          options,
          {0},
          {"Traceback (most recent call last):\n  File\nValueError: x"}),
      testing::EndsWith("  |   File\n  | ValueError: x\n"));
}

TEST(JobReport, PointsAtATracebackThatWasPassedOn) {
  RankOutcome failed = outcome();
  failed.exit_code = 1;
  failed.last_lines = {"[rank1]: KeyError: 'x'", "last"};
  const LaunchOptions options{.program = "train.py", .num_processes = 2};
  const auto above = ReportedTraceback::Place::kAbove;
  const std::string report = failure_report(
      failed,
      options,
      {},
      {"Traceback (most recent call last):\n  File\nKeyError: 'x'\n", above});
  EXPECT_THAT(
      report,
      testing::EndsWith(
          "s, program 'train.py')\n"
          "accelerate launch: rank 1 of 2 raised KeyError: 'x' first; its "
          "traceback is above\n"));
  EXPECT_THAT(report, Not(HasSubstr("  | ")));
  // One that was cut off names nothing; torch's mark is said already.
  EXPECT_THAT(
      failure_report(
          failed, options, {}, {"Traceback (most recent call last):\n", above}),
      HasSubstr("last lines of rank 1:\n  | KeyError: 'x'\n  | last\n"));
}

TEST(TracebackReport, SaysOneLineOfEachLaterException) {
  const std::string header = "Traceback (most recent call last):\n  File\n";
  TracebackReport report;
  EXPECT_EQ(report.show_cause(""), "");
  EXPECT_FALSE(report.has_cause());
  report.show("[rank1]: E: z\n");
  EXPECT_FALSE(report.has_cause());
  EXPECT_EQ(report.show_cause("[rank1]: E: y\n"), "E: y\n");
  EXPECT_EQ(report.show_cause(header + "E: x\n"), header + "E: x\n");
  EXPECT_TRUE(report.has_cause());
  EXPECT_TRUE(report.has_shown("[rank2]: E: z\n"));
  EXPECT_FALSE(report.has_shown("E: x\n"));
  EXPECT_EQ(report.finish(), "");
  EXPECT_EQ(
      report.add(3, header + "E: y. Look there\n"),
      "accelerate launch: rank 3 raised after it: E: y.\n");
  EXPECT_EQ(report.add(4, header + "  File\n"), "")
      << "ended while it was printing";
  EXPECT_EQ(
      report.add(
          2, "[rank2]: Traceback (most recent call last):\n  File\nE: x\n"),
      "");
  EXPECT_EQ(report.add(0, header + "E: x\n"), "");
  EXPECT_EQ(
      report.finish(),
      "accelerate launch: ranks 0, 2 raised the same exception\n");
  EXPECT_EQ(report.finish(), "");
}

TEST(JobReport, NamesTheSignal) {
  RankOutcome failed = outcome();
  failed.signal = SIGSEGV;
  EXPECT_THAT(
      failure_report(failed, {.program = "p", .num_processes = 2}, {}),
      HasSubstr("was killed by SIGSEGV"));
  failed.signal = SIGRTMIN + 5;
  EXPECT_THAT(
      failure_report(failed, {.program = "p", .num_processes = 2}, {}),
      HasSubstr("was killed by signal "));
}

TEST(JobReport, LeavesOutWhatDoesNotHappen) {
  RankOutcome failed = outcome();
  failed.exit_code = 1;
  const std::string report = failure_report(
      failed,
      {.program = "p",
       .num_processes = 2,
       .on_failure = OnFailure::kLetOthersRun},
      {0});
  EXPECT_THAT(report, Not(HasSubstr("ending")));
  EXPECT_THAT(report, Not(HasSubstr("last lines")));
}

TEST(JobReport, ShortensLongListsOfRanks) {
  RankOutcome failed = outcome();
  failed.exit_code = 1;
  EXPECT_THAT(
      failure_report(
          failed,
          {.program = "p", .num_processes = 12},
          {0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}),
      HasSubstr("ending ranks 0, 2, 3, 4, 5, 6, 7, 8 and 3 more with"));
}

} // namespace
} // namespace accelerate::launch
