// tests/unit/launch/launcher_test.cpp: jobs of real processes, run in-process
// by the library.
#include "accelerate/launch/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "accelerate/error.h"
#include "accelerate/launch/program.h"
#include "tests/support/leak_check.h"
#include "tests/support/run_ranks.h"
#include "tests/support/temp_dir.h"

namespace accelerate {
namespace {

using namespace std::chrono_literals;
using test::built_program;
using test::RanksResult;
using test::run_ranks;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const bool kChecksLeaks = test::install_leak_check();
const std::string kActor = built_program("rank_actor");

TEST(Launcher, RejectsOptionsOutsideTheirLimits) {
  for (const int count : {0, -1, 1025, 2'000'000'000}) {
    EXPECT_THROW(
        Launcher({.program = kActor, .num_processes = count}), ConfigError);
  }
  EXPECT_THROW(Launcher({.program = ""}), ConfigError);
  EXPECT_THROW(
      Launcher({.program = kActor, .args = {std::string("a\0b", 3)}}),
      ConfigError);
  EXPECT_THROW(
      Launcher({.program = kActor, .environment = {{"A=B", "1"}}}),
      ConfigError);
  EXPECT_THROW(Launcher({.program = kActor, .grace = -1ms}), ConfigError);
  EXPECT_THROW(
      Launcher({.program = kActor, .ranks_not_awaited = {1}}), ConfigError);
}

TEST(Launcher, GivesEveryRankItsPlace) {
  for (const int world : {1, 2, 3, 4}) {
    const RanksResult result = run_ranks(
        {.program = kActor,
         .args =
             {"env=RANK",
              "env=LOCAL_RANK",
              "env=WORLD_SIZE",
              "env=LOCAL_WORLD_SIZE",
              "env=MASTER_ADDR"},
         .world_size = world});
    ASSERT_TRUE(result.all_succeeded()) << result;
    EXPECT_EQ(result.exit_code, 0);
    for (const RankOutcome& rank : result.ranks) {
      EXPECT_EQ(
          rank.out,
          concat(
              "RANK=",
              rank.global_rank,
              "\nLOCAL_RANK=",
              rank.global_rank,
              "\nWORLD_SIZE=",
              world,
              "\nLOCAL_WORLD_SIZE=",
              world,
              "\nMASTER_ADDR=127.0.0.1\n"));
    }
  }
}

TEST(Launcher, ReportsEveryRanksEndingAndOutput) {
  const RanksResult result = run_ranks(
      {.program = kActor,
       .args =
           {"out=hello\\n",
            "err=unfinished",
            "0:exit=3",
            "1:signal=9",
            "2:exit=0"},
       .world_size = 3});
  EXPECT_EQ(result.ranks[0].exit_code, 3);
  EXPECT_EQ(result.ranks[1].signal, SIGKILL);
  EXPECT_EQ(result.ranks[1].shell_code(), 137);
  EXPECT_TRUE(result.ranks[2].is_success());
  EXPECT_FALSE(result.all_succeeded());
  for (const RankOutcome& rank : result.ranks) {
    EXPECT_EQ(rank.out, "hello\n");
    EXPECT_EQ(rank.err, "unfinished\n");
    EXPECT_EQ(rank.last_lines.size(), 2U);
    EXPECT_FALSE(rank.ended_by_launcher);
  }
}

TEST(Launcher, KillsStalledRanksOnceTheOthersEnded) {
  const RanksResult result = run_ranks(
      {.program = kActor,
       .args = {"1:stop", "0:sleep=50"},
       .deadline = 20s,
       .stalled = {1}});
  EXPECT_FALSE(result.deadline_passed);
  EXPECT_TRUE(result.ranks[0].is_success());
  EXPECT_TRUE(result.ranks[1].ended_by_launcher);
  EXPECT_LT(result.ranks[1].duration, 10s) << result;
}

TEST(Launcher, KillsEverythingAtTheDeadline) {
  const RanksResult result = run_ranks(
      {.program = kActor,
       .args = {"ignore-term", "sleep=20000"},
       .deadline = 100ms});
  EXPECT_TRUE(result.deadline_passed);
  EXPECT_EQ(result.exit_code, kExitDeadline);
  for (const RankOutcome& rank : result.ranks) {
    EXPECT_EQ(rank.signal, SIGKILL);
    EXPECT_LT(rank.duration, 10s);
  }
}

} // namespace
} // namespace accelerate
