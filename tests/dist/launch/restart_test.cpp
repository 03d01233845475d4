// tests/dist/launch/restart_test.cpp: jobs that are started again after a rank
// failed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "accelerate/error.h"
#include "tests/support/run_ranks.h"
#include "tests/support/started_program.h"

namespace accelerate::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

const std::string kSleep = "sleep=60000";

LaunchOptions restarted_job(
    int max_restarts,
    const std::vector<std::string>& args) {
  return {
      .program = built_program("rank_actor"),
      .args = args,
      .num_processes = 2,
      .max_restarts = max_restarts,
      .deadline = 60s,
      .output = RankOutput::kCapture,
      .signals = LauncherSignals::kLeaveAlone};
}

TEST(LaunchRestart, StartsAllRanksAgainUntilTheySucceed) {
  // Each rank fails once, in two ways.
  const LaunchResult result = Launcher(restarted_job(
                                           3,
                                           {"env=TORCHELASTIC_RESTART_COUNT",
                                            "env=TORCHELASTIC_MAX_RESTARTS",
                                            "1:@0:exit=3",
                                            "0:@1:signal=9",
                                            "@2:exit=0",
                                            kSleep}))
                                  .run();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_FALSE(result.first_failed_rank);
  ASSERT_EQ(result.failed_attempts.size(), 2U);
  EXPECT_EQ(result.failed_attempts[0].global_rank, 1);
  EXPECT_EQ(result.failed_attempts[0].exit_code, 3);
  EXPECT_EQ(result.failed_attempts[1].global_rank, 0);
  EXPECT_EQ(result.failed_attempts[1].signal, SIGKILL);
  for (const RankOutcome& rank : result.ranks) {
    // What it printed before belongs to the failed attempts.
    EXPECT_EQ(
        rank.out,
        "TORCHELASTIC_RESTART_COUNT=2\nTORCHELASTIC_MAX_RESTARTS=3\n");
  }
}

TEST(LaunchRestart, GivesUpAfterTheLastRestart) {
  const LaunchResult result =
      Launcher(restarted_job(2, {"0:exit=5", kSleep})).run();
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_EQ(result.first_failed_rank, 0);
  EXPECT_EQ(result.failed_attempts.size(), 2U);
}

TEST(LaunchRestart, OpensAFreshStoreForEachAttempt) {
  LaunchOptions job = restarted_job(
      1,
      {"1:@0:exit=1",
       "@0:sleep=60000",
       "0:store",
       "1:connect=ACCELERATE_STORE_PORT",
       "0:sleep=60000"});
  job.ranks_not_awaited = {0}; // it listens while rank 1 connects
  const LaunchResult result = Launcher(job).run();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(
      result.ranks[0].out,
      "store 127.0.0.1 is ACCELERATE_STORE_PORT, listening\n");
  EXPECT_EQ(result.ranks[1].out, "connected\n");
}

TEST(LaunchRestart, LeavesNothingOfTheAttemptBefore) {
  const LaunchResult result =
      Launcher(
          restarted_job(
              1, {"@0:spawn", "0:@0:exit=1", "@0:sleep=60000", "sleep=10"}))
          .run();
  EXPECT_EQ(result.exit_code, 0);
  ASSERT_EQ(result.failed_attempts.size(), 1U);
  const std::string& printed = result.failed_attempts[0].out;
  ASSERT_THAT(printed, testing::StartsWith("child "));
  EXPECT_FALSE(is_running(std::stoi(printed.substr(6))));
}

TEST(LaunchRestart, StopsAtTheDeadline) {
  LaunchOptions job = restarted_job(1'000'000, {"0:sleep=20", "exit=1"});
  job.deadline = 500ms;
  const LaunchResult result = Launcher(job).run();
  EXPECT_EQ(result.exit_code, kExitDeadline);
  EXPECT_TRUE(result.deadline_passed);
}

TEST(LaunchRestart, StartsNothingAgainWithoutBeingAsked) {
  const LaunchResult result = Launcher(restarted_job(0, {"exit=4"})).run();
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_TRUE(result.failed_attempts.empty());
}

} // namespace
} // namespace accelerate::test
