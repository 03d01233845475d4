// tests/dist/launch/faults_test.cpp: ranks and launchers that die, refuse to
// die or leave things behind.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "accelerate/error.h"
#include "tests/dist/launch/launched_job.h"
#include "tests/support/leak_check.h"

namespace accelerate::test {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const bool kChecksLeaks = install_leak_check();
const std::string kActor = built_program("rank_actor");
// Longer than any test may take: a rank that sleeps this long was ended.
const std::string kSleep = "sleep=60000";

TEST(LaunchFaults, NamesTheKilledRankFirstAndEndsTheOthers) {
  LaunchedJob job(3, {"1:out=last words\\n"}, {kSleep});
  ASSERT_TRUE(job.is_ready());
  ASSERT_EQ(::kill(job.pids().at(1), SIGKILL), 0);
  const auto killed = std::chrono::steady_clock::now();
  EXPECT_EQ(job.program().wait_code(), 128 + SIGKILL);
  // Far below the grace time: the others end at SIGTERM.
  EXPECT_LT(std::chrono::steady_clock::now() - killed, 5s);
  EXPECT_TRUE(job.no_rank_runs());
  EXPECT_THAT(
      job.program().err(),
      AllOf(
          StartsWith("accelerate launch: rank 1 of 3 on "),
          HasSubstr("was killed by SIGKILL"),
          HasSubstr("last lines of rank 1:\n  | last words\n"),
          HasSubstr("ending ranks 0, 2 with SIGTERM")));
}

TEST(LaunchFaults, ReturnsTheCodeOfTheRankThatFailedFirst) {
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args = launch_args(2, {"catch=15", "0:exit=3", kSleep})});
  EXPECT_EQ(program.wait_code(), 3);
  EXPECT_THAT(
      program.err(),
      AllOf(
          StartsWith("accelerate launch: rank 0 of 2 on "),
          HasSubstr("exited with code 3"),
          HasSubstr("ending rank 1 with SIGTERM")));
}

TEST(LaunchFaults, LetsARankEndEarlyWithoutFailure) {
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args = launch_args(2, {"0:exit=0", "sleep=200", "out=late\\n"})});
  EXPECT_EQ(program.wait_code(), 0);
  EXPECT_EQ(program.out(), "[rank 1] late\n");
  EXPECT_EQ(program.err(), "");
}

TEST(LaunchFaults, KillsRanksThatIgnoreSigtermAfterTheGraceTime) {
  const RanksResult result = run_ranks(
      {.program = kActor,
       .args = {"1:ignore-term", "0:sleep=50", "0:exit=5", kSleep},
       .on_failure = OnFailure::kEndOthers,
       .grace = 300ms});
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_EQ(result.first_failed_rank, 0);
  EXPECT_EQ(result.ranks[1].signal, SIGKILL);
  EXPECT_TRUE(result.ranks[1].ended_by_launcher);
  EXPECT_GE(result.ranks[1].duration, result.ranks[0].duration + 299ms);
  EXPECT_LT(result.ranks[1].duration, 15s) << result;
}

TEST(LaunchFaults, EndsStoppedRanks) {
  const RanksResult result = run_ranks(
      {.program = kActor,
       .args = {"1:stop", "0:sleep=100", "0:exit=5", kSleep},
       .on_failure = OnFailure::kEndOthers,
       .grace = 10s});
  // Woken to see SIGTERM, not killed after sleeping through the grace time.
  EXPECT_EQ(result.ranks[1].signal, SIGTERM) << result;
}

TEST(LaunchFaults, LeavesNothingWhenTheLauncherIsKilled) {
  for (int round = 0; round < 5; ++round) {
    LaunchedJob job(2, {"spawn"}, {kSleep});
    ASSERT_TRUE(job.is_ready());
    ASSERT_TRUE(eventually(
        [&] { return children_in(job.program().out()).size() == 2; }));
    const auto children = children_in(job.program().out());
    for (const pid_t child : children) {
      ASSERT_TRUE(is_running(child));
    }
    job.program().send(SIGKILL);
    EXPECT_EQ(job.program().wait_code(), 128 + SIGKILL);
    EXPECT_TRUE(eventually([&] { return job.no_rank_runs(); }, 5s));
    EXPECT_TRUE(eventually(
        [&] { return !is_running(children[0]) && !is_running(children[1]); },
        5s));
  }
}

/// Processes whose parent is `parent` and whose name is `name`.
std::vector<pid_t> children_named(pid_t parent, const std::string& name) {
  std::istringstream list(
      read_text(concat("/proc/", parent, "/task/", parent, "/children")));
  std::vector<pid_t> found;
  for (pid_t child = 0; list >> child;) {
    if (read_text(concat("/proc/", child, "/comm")) == name + '\n') {
      found.push_back(child);
    }
  }
  return found;
}

TEST(LaunchFaults, RanksDieWithTheLauncherAlsoWithoutItsGuardian) {
  LaunchedJob job(2, {}, {kSleep});
  ASSERT_TRUE(job.is_ready());
  std::vector<pid_t> guardians;
  ASSERT_TRUE(eventually([&] {
    guardians = children_named(job.program().pid(), "accelerate-grd");
    return guardians.size() == 1;
  }));
  ASSERT_EQ(::kill(guardians[0], SIGKILL), 0);
  job.program().send(SIGKILL);
  EXPECT_TRUE(eventually([&] { return job.no_rank_runs(); }, 5s));
}

TEST(LaunchFaults, EndsWhatRanksLeaveBehind) {
  for (const char* ending : {"exit=0", "1:exit=3"}) {
    StartedProgram program(
        {.program = ACCELERATE_CLI,
         .args = launch_args(2, {"spawn", ending, "sleep=100"})});
    EXPECT_EQ(program.wait_code(), ending[0] == '1' ? 3 : 0);
    const auto children = children_in(program.out());
    // A rank may be ended before it starts its child, when the other is faster.
    ASSERT_GE(children.size(), 1U);
    for (const pid_t child : children) {
      EXPECT_TRUE(eventually([&] { return !is_running(child); }, 5s));
    }
  }
}

TEST(LaunchFaults, GivesTheStoreSocketToRankZeroAndNoOtherDescriptor) {
  // A descriptor that this process forgot to protect.
  const int forgotten = ::open("/dev/null", O_RDONLY); // NOLINT
  const RanksResult result =
      run_ranks({.program = kActor, .args = {"fds"}, .world_size = 3});
  ::close(forgotten);
  const std::string streams = "fd 0\nfd 1\nfd 2\n";
  EXPECT_THAT(result.ranks[0].out, StartsWith(streams + "fd "));
  EXPECT_EQ(
      std::count(result.ranks[0].out.begin(), result.ranks[0].out.end(), '\n'),
      4);
  EXPECT_EQ(result.ranks[1].out, streams);
  EXPECT_EQ(result.ranks[2].out, streams);
}

TEST(LaunchFaults, HandsOverASocketThatAlreadyTakesConnections) {
  const RanksResult result = run_ranks(
      {.program = kActor,
       .args =
           {"0:store",
            "1:connect=ACCELERATE_STORE_PORT",
            "1:connect=MASTER_PORT",
            "0:sleep=60000"},
       .stalled = {0}});
  EXPECT_EQ(
      result.ranks[0].out,
      "store 127.0.0.1 is ACCELERATE_STORE_PORT, listening\n");
  // Nobody listens at the program's own port before the program does.
  EXPECT_EQ(result.ranks[1].out, "connected\nrefused\n");
  EXPECT_THAT(
      run_ranks({.program = kActor, .args = {"env=ACCELERATE_STORE_FD"}})
          .ranks[1]
          .out,
      HasSubstr("unset"));
}

TEST(LaunchFaults, SaysWhenTheMachineHasNoRoom) {
  StartedProgram program(
      {.program = "prlimit",
       .args = {
           "--nofile=40",
           ACCELERATE_CLI,
           "launch",
           "--num_processes",
           "64",
           kActor,
           kSleep}});
  EXPECT_EQ(program.wait_code(), 1);
  const std::string error = program.err();
  EXPECT_THAT(error, AllOf(HasSubstr("errno 24"), HasSubstr("ulimit -n")));
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 1) << error;
}

} // namespace
} // namespace accelerate::test
