// tests/dist/launch/signals_test.cpp: signals sent to the launcher reach the
// ranks, each once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/dist/launch/launched_job.h"

namespace accelerate::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos;
       ++at) {
    ++found;
  }
  return found;
}

TEST(LaunchSignals, ReachEveryRankOnce) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) {
    LaunchedJob job(2, {"echo-signals"}, {"sleep=300"});
    ASSERT_TRUE(job.is_ready());
    job.program().send(signal);
    // The ranks handle it and succeed: so does the job.
    EXPECT_EQ(job.program().wait_code(), 0);
    EXPECT_EQ(
        count(
            job.program().out(),
            std::string("got ") + ::sigabbrev_np(signal) + '\n'),
        2U)
        << job.program().out();
  }
}

TEST(LaunchSignals, EndAJobWithTheirOwnCode) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    LaunchedJob job(2, {}, {"sleep=60000"});
    ASSERT_TRUE(job.is_ready());
    job.program().send(signal);
    EXPECT_EQ(job.program().wait_code(), 128 + signal);
    EXPECT_TRUE(job.no_rank_runs());
    // Ending when asked to is no failure.
    EXPECT_EQ(count(job.program().err(), "of 2 on"), 0U) << job.program().err();
  }
}

TEST(LaunchSignals, KillAtTheSecondTime) {
  LaunchedJob job(2, {"echo-signals"}, {"sleep=60000"});
  ASSERT_TRUE(job.is_ready());
  job.program().send(SIGINT);
  ASSERT_TRUE(
      eventually([&] { return count(job.program().out(), "got INT") == 2; }));
  EXPECT_FALSE(job.program().wait(100ms));
  job.program().send(SIGINT);
  EXPECT_EQ(job.program().wait_code(), 128 + SIGINT);
  EXPECT_TRUE(job.no_rank_runs());
  EXPECT_THAT(job.program().err(), HasSubstr("killing all ranks"));
}

TEST(LaunchSignals, LeaveTimeToSaveAfterSigterm) {
  // Rank 1 dies of the signal at once; rank 0 handles it and needs longer.
  LaunchedJob job(
      2,
      {"0:echo-signals"},
      {"0:sleep=400", "0:out=saved\\n", "1:sleep=60000"});
  ASSERT_TRUE(job.is_ready());
  job.program().send(SIGTERM);
  EXPECT_EQ(job.program().wait_code(), 128 + SIGTERM);
  EXPECT_THAT(job.program().out(), HasSubstr("got TERM\nsaved\n"));
}

TEST(LaunchSignals, StayIgnoredUnderNohup) {
  StartedProgram program(
      {.program = "nohup",
       .args = {
           ACCELERATE_CLI,
           "launch",
           "--num_processes",
           "2",
           built_program("rank_actor"),
           "out=up\\n",
           "sleep=300"}});
  ASSERT_TRUE(eventually([&] { return count(program.out(), "up\n") == 2; }));
  program.send(SIGHUP);
  EXPECT_EQ(program.wait_code(), 0);
  // nohup says that it ignores input; the launcher did not notice anything.
  EXPECT_EQ(count(program.err(), "SIGHUP"), 0U) << program.err();
}

} // namespace
} // namespace accelerate::test
