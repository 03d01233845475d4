// tests/dist/launch/heartbeat_test.cpp: ranks that hang.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/support/run_ranks.h"

namespace accelerate::test {
namespace {

using namespace std::chrono_literals;

const std::string kSleep = "sleep=60000";

LaunchOptions watched_job(const std::vector<std::string>& args) {
  return {
      .program = built_program("rank_actor"),
      .args = args,
      .num_processes = 3,
      // Longer than a busy machine keeps a rank from its first action.
      .heartbeat_timeout = 2s,
      .deadline = 60s,
      .output = RankOutput::kCapture,
      .signals = LauncherSignals::kLeaveAlone};
}

void expect_named(const LaunchOptions& job, int rank) {
  const LaunchResult result = Launcher(job).run();
  EXPECT_TRUE(result.has_stalled);
  EXPECT_FALSE(result.deadline_passed);
  EXPECT_EQ(result.exit_code, kExitDeadline);
  EXPECT_EQ(result.first_failed_rank, rank);
  for (const RankOutcome& outcome : result.ranks) {
    EXPECT_EQ(outcome.signal, SIGTERM) << outcome.global_rank;
    EXPECT_TRUE(outcome.ended_by_launcher);
  }
}

TEST(LaunchHeartbeat, NamesAStoppedRank) {
  expect_named(watched_job({"step", "issue=comm.gather", "1:stop", kSleep}), 1);
}

TEST(LaunchHeartbeat, NamesALoopingRankAndNotThoseThatWaitForIt) {
  expect_named(
      watched_job({"step", "2:loop", "issue=comm.all_reduce", kSleep}), 2);
}

TEST(LaunchHeartbeat, NamesARankThatHangsBeforeItsFirstStep) {
  expect_named(watched_job({"0:loop", "issue=comm.all_reduce", kSleep}), 0);
}

TEST(LaunchHeartbeat, NamesARankThatIsStoppedBeforeItUsesTheEngine) {
  expect_named(watched_job({"2:stop", kSleep}), 2);
}

TEST(LaunchHeartbeat, StartsTheJobAgain) {
  LaunchOptions job =
      watched_job({"step", "1:@0:stop", "@0:sleep=60000", "step"});
  job.max_restarts = 1;
  const LaunchResult result = Launcher(job).run();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_FALSE(result.has_stalled);
  ASSERT_EQ(result.failed_attempts.size(), 1U);
  EXPECT_EQ(result.failed_attempts[0].global_rank, 1);
}

TEST(LaunchHeartbeat, LeavesRanksAloneThatMoveOrWait) {
  // Ranks 0 and 2 wait for rank 1, which takes longer than the timeout and
  // moves.
  LaunchOptions job = watched_job(
      {"1:step-for=3000",
       "issue=comm.all_reduce",
       "0:sleep=3500",
       "2:sleep=3500",
       "done"});
  EXPECT_EQ(Launcher(job).run().exit_code, 0);
}

TEST(LaunchHeartbeat, JudgesNoProgramThatShowsNothing) {
  EXPECT_EQ(Launcher(watched_job({"sleep=2500"})).run().exit_code, 0);
}

} // namespace
} // namespace accelerate::test
