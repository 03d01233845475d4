// tests/dist/launch/supervision_test.cpp: the program `accelerate` that starts
// jobs again, keeps logs and finds ranks that hang.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <thread>

#include "accelerate/error.h"
#include "tests/dist/launch/launched_job.h"

namespace accelerate::test {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kSleep = "sleep=60000";

/// The file that ranks of the attempt announce themselves in.
std::size_t lines_in(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(LaunchSupervision, ReportsEachFailureAndTheRestart) {
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args = launch_args(
           2,
           {"1:@0:exit=3", "1:@1:exit=4", "@2:exit=0", kSleep},
           {"--max_restarts", "2"})});
  EXPECT_EQ(program.wait_code(60s), 0);
  EXPECT_THAT(
      program.err(),
      AllOf(
          HasSubstr("rank 1 of 2 on "),
          HasSubstr("exited with code 3"),
          HasSubstr("starting all ranks again, restart 1 of 2\n"),
          HasSubstr("exited with code 4"),
          HasSubstr("starting all ranks again, restart 2 of 2\n")));
}

TEST(LaunchSupervision, NamesEachRankThatIsKilledAndGoesOn) {
  for (const int victim : {0, 1, 2}) {
    TempDir dir;
    const std::string first = dir / "first";
    StartedProgram program(
        {.program = ACCELERATE_CLI,
         .args = launch_args(
             3,
             {"@0:ready=" + first, "@0:sleep=60000", "out=done\\n"},
             {"--max_restarts", "1"})});
    std::map<int, pid_t> pids;
    ASSERT_TRUE(eventually(
        [&] {
          std::istringstream lines(read_text(first));
          for (int rank = 0, pid = 0; lines >> rank >> pid;) {
            pids[rank] = pid;
          }
          return pids.size() == 3;
        },
        60s));
    ASSERT_EQ(::kill(pids[victim], SIGKILL), 0);
    EXPECT_EQ(program.wait_code(60s), 0);
    EXPECT_THAT(
        program.err(), HasSubstr(concat("launch: rank ", victim, " of 3 on ")));
    EXPECT_THAT(program.out(), HasSubstr("[rank 2] done\n"));
  }
}

TEST(LaunchSupervision, StartsNothingAgainAfterASignal) {
  LaunchedJob job(2, {}, {kSleep}, {}, {"--max_restarts", "5"});
  ASSERT_TRUE(job.is_ready());
  job.program().send(SIGTERM);
  EXPECT_EQ(job.program().wait_code(60s), 128 + SIGTERM);
  EXPECT_THAT(job.program().err(), Not(HasSubstr("again, restart")));
  EXPECT_TRUE(job.no_rank_runs());
}

TEST(LaunchSupervision, StartsNothingAgainWhenTheSignalFollowsAFailure) {
  LaunchedJob job(
      2,
      {"0:ignore-term", concat("1:catch=", SIGUSR1)},
      {kSleep},
      {},
      {"--max_restarts", "5", "--grace_period", "4"});
  ASSERT_TRUE(job.is_ready());
  ASSERT_EQ(::kill(job.pids()[1], SIGUSR1), 0); // it exits with 40 + SIGUSR1
  ASSERT_TRUE(eventually(
      [&] { return job.program().err().find("code 50") != std::string::npos; },
      60s));
  job.program().send(SIGTERM);
  EXPECT_EQ(job.program().wait_code(60s), 50);
  EXPECT_THAT(job.program().err(), Not(HasSubstr("again, restart")));
}

TEST(LaunchSupervision, LeavesNothingWhenTheLauncherIsKilledAfterARestart) {
  TempDir dir;
  const std::string second = dir / "second";
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args = launch_args(
           2,
           {"1:@0:exit=3",
            "@0:sleep=60000",
            "spawn",
            "ready=" + second,
            kSleep},
           {"--max_restarts", "1"})});
  ASSERT_TRUE(eventually([&] { return lines_in(second) == 2; }, 60s));
  ASSERT_TRUE(
      eventually([&] { return children_in(program.out()).size() == 2; }, 60s));
  std::vector<pid_t> processes = children_in(program.out());
  std::istringstream ranks(read_text(second));
  for (pid_t rank = 0, pid = 0; ranks >> rank >> pid;) {
    processes.push_back(pid);
  }
  ASSERT_EQ(processes.size(), 4U);
  program.send(SIGKILL);
  for (const pid_t pid : processes) {
    // What ranks started would end by itself after a minute.
    EXPECT_TRUE(eventually([&] { return !is_running(pid); }, 30s)) << pid;
  }
}

TEST(LaunchSupervision, KillsRanksThatOutliveTheGracePeriodAfterASignal) {
  LaunchedJob job(2, {"ignore-term"}, {kSleep}, {}, {"--grace_period", "0.3"});
  ASSERT_TRUE(job.is_ready());
  job.program().send(SIGTERM);
  EXPECT_EQ(job.program().wait_code(50s), 128 + SIGTERM);
  EXPECT_TRUE(job.no_rank_runs());
}

TEST(LaunchSupervision, LetsRanksTakeTheirTimeAfterAUserSignal) {
  LaunchedJob job(
      2,
      {"echo-signals"},
      {"sleep=1000", "out=saved\\n"},
      {},
      {"--grace_period", "0.1"});
  ASSERT_TRUE(job.is_ready());
  job.program().send(SIGUSR1);
  EXPECT_EQ(job.program().wait_code(60s), 0);
  EXPECT_THAT(
      job.program().out(),
      AllOf(HasSubstr("got USR1\n"), HasSubstr("\nsaved\n")));
}

TEST(LaunchSupervision, WarnsOnceOfLogsThatHaveNoRoom) {
  TempDir dir;
  std::vector<std::string> args{"--fsize=1000000", ACCELERATE_CLI};
  const auto job = launch_args(3, {"megabytes=2"}, {"--log_dir", dir / "logs"});
  args.insert(args.end(), job.begin(), job.end());
  // The limit would hold for a file that takes the output, too.
  const launch::FileDescriptor null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  StartedProgram program(
      {.program = "prlimit", .args = args, .stdout_fd = null.get()});
  EXPECT_EQ(program.wait_code(60s), 0);
  EXPECT_THAT(
      program.err(),
      AllOf(
          HasSubstr("stdout.log: errno 27"),
          HasSubstr("the logs of this job are incomplete")));
  const std::string error = program.err();
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 1) << error;
}

TEST(LaunchSupervision, SaysWhereEachRankIsWhenOneHangs) {
  StartedProgram program(
      {.program = ACCELERATE_CLI,
       .args = launch_args(
           2,
           {"step", "step", "1:stop", "issue=comm.gather", kSleep},
           {"--heartbeat_timeout", "2"})});
  EXPECT_EQ(program.wait_code(60s), kExitDeadline);
  EXPECT_THAT(
      program.err(),
      AllOf(
          HasSubstr("rank 1 of 2 on "),
          HasSubstr("has made no progress for "),
          HasSubstr("  rank 0: step 2, in comm.gather (its collective 1), "),
          HasSubstr("  rank 1: step 2, no collective yet, no progress for "),
          HasSubstr("stopped by a signal\n"),
          HasSubstr("ending ranks 0, 1 with SIGTERM")));
}

TEST(LaunchSupervision, BlamesNoRankForATimeInWhichTheWholeJobWasStopped) {
  LaunchedJob job(2, {}, {"step-for=4000"}, {}, {"--heartbeat_timeout", "2"});
  ASSERT_TRUE(job.is_ready());
  std::vector<pid_t> processes{job.program().pid()};
  for (const auto& [rank, pid] : job.pids()) {
    processes.push_back(pid);
  }
  for (const pid_t pid : processes) {
    ::kill(pid, SIGSTOP);
  }
  std::this_thread::sleep_for(3500ms);
  for (const pid_t pid : processes) {
    ::kill(pid, SIGCONT);
  }
  EXPECT_EQ(job.program().wait_code(60s), 0) << job.program().err();
}

} // namespace
} // namespace accelerate::test
