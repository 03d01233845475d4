// tests/dist/comm_test.cpp: collectives, reducer and faults with real
// processes.
#include "tests/dist/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace accelerate::test {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

// Exit codes of dist_ranks.
constexpr int kCommError = 42;
constexpr int kConfigError = 43;

using Clock = std::chrono::steady_clock;

void expect_success(const JobOptions& options) {
  const auto results = run_job(options);
  for (std::size_t rank = 0; rank < results.size(); ++rank) {
    EXPECT_FALSE(results[rank].timed_out);
    EXPECT_EQ(results[rank].exit_code, 0)
        << "rank " << rank << ", signal " << results[rank].signal << "\n"
        << results[rank].output;
  }
}

class Worlds : public testing::TestWithParam<int> {};

TEST_P(Worlds, CollectivesGiveTheValuesOfTheClosedForm) {
  expect_success({.world_size = GetParam(), .case_name = "collective/"});
}

TEST_P(Worlds, GradientsAreTheMeanOverTheRanks) {
  expect_success({.world_size = GetParam(), .case_name = "reducer/"});
}

TEST_P(Worlds, LoadersGiveEverySampleOnce) {
  expect_success({.world_size = GetParam(), .case_name = "loader/"});
}

TEST_P(Worlds, NothingListensBeyondLoopback) {
  expect_success(
      {.world_size = GetParam(),
       .case_name = "sound/",
       .inherit_socket = false});
}

INSTANTIATE_TEST_SUITE_P(Comm, Worlds, testing::Values(1, 2, 3, 4));

/// 60 made-up programs; tools/soak.py runs thousands.
TEST_P(Worlds, DebugModeNamesEveryMismatchOnAllRanks) {
  if (GetParam() == 2 || GetParam() == 3) {
    expect_success({.world_size = GetParam(), .case_name = "mismatch/"});
  }
}

TEST(Comm, DebugModeSaysWhereARankWasThatIsGone) {
  for (const int world : {2, 3}) {
    expect_success({.world_size = world, .case_name = "killed/"});
  }
}

TEST(Comm, AGroupThatWasShutDownRefusesCollectives) {
  expect_success({.case_name = "shutdown"});
}

/// Every rank but the last ends with CommError within its time limit.
void expect_survivors_fail(
    const JobOptions& options,
    const std::string& operation) {
  const auto begin = Clock::now();
  const auto results = run_job(options);
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(20));
  for (std::size_t rank = 0; rank + 1 < results.size(); ++rank) {
    SCOPED_TRACE(results[rank].output);
    EXPECT_FALSE(results[rank].timed_out);
    EXPECT_EQ(results[rank].exit_code, kCommError);
    const std::string place =
        "(rank " + std::to_string(rank) + "/" + std::to_string(results.size());
    EXPECT_THAT(
        results[rank].output,
        AllOf(HasSubstr("CommError: [" + operation + "]"), HasSubstr(place)));
  }
}

TEST(Faults, AKilledRankEndsTheOthers) {
  for (const int world : {2, 3}) {
    expect_survivors_fail(
        {.world_size = world, .case_name = "fault/kill"}, "comm.gather");
  }
}

TEST(Faults, ARankThatExitsEarlyEndsTheOthers) {
  expect_survivors_fail(
      {.world_size = 3, .case_name = "fault/exit"}, "comm.gather");
}

TEST(Faults, AStalledRankEndsTheOthersAfterTheTimeout) {
  expect_survivors_fail(
      {.world_size = 3,
       .case_name = "fault/stop",
       .comm_timeout = std::chrono::seconds(2)},
      "comm.gather");
}

TEST(Faults, ARankKilledInBackwardEndsTheOthers) {
  expect_survivors_fail(
      {.world_size = 3, .case_name = "fault/kill_in_backward"},
      "step.backward");
}

TEST(Faults, ARankKilledWhileRank0ReadsEndsTheOthers) {
  expect_survivors_fail(
      {.world_size = 3, .case_name = "fault/kill_in_dispatch"},
      "comm.broadcast_bytes");
}

TEST(Faults, ARankKilledInAJoinEndsThoseThatTrainAndThoseThatWait) {
  expect_survivors_fail(
      {.world_size = 3, .case_name = "fault/kill_in_join"},
      "comm.join_uneven_inputs");
}

TEST(Faults, AMissingRankIsNamed) {
  const auto results = run_job(
      {.world_size = 3,
       .case_name = "shutdown",
       .comm_timeout = std::chrono::seconds(2),
       .absent = {1}});
  for (const int rank : {0, 2}) {
    const auto& result = results[static_cast<std::size_t>(rank)];
    EXPECT_EQ(result.exit_code, kCommError) << result.output;
    EXPECT_THAT(
        result.output,
        // Rank 0 takes the store with it when it gives up first.
        AnyOf(
            AllOf(
                HasSubstr("1 of 3 ranks are missing at 127.0.0.1:"),
                HasSubstr("2000 ms: rank 1")),
            HasSubstr("went away")));
  }
  EXPECT_THAT(results[0].output, HasSubstr("2000 ms: rank 1"));
}

void expect_no_store(std::uint16_t port) {
  const auto results = run_job(
      {.world_size = 2,
       .case_name = "shutdown",
       .comm_timeout = std::chrono::seconds(2),
       .absent = {0},
       .inherit_socket = false,
       .port = port});
  EXPECT_EQ(results[1].exit_code, kCommError) << results[1].output;
  EXPECT_THAT(
      results[1].output,
      AllOf(
          HasSubstr("[comm.create]"),
          HasSubstr("127.0.0.1:" + std::to_string(port)),
          HasSubstr("2000 ms")));
}

TEST(Faults, AMissingStoreIsNamed) {
  ListeningSocket closed;
  closed.release();
  expect_no_store(closed.port);
}

TEST(Faults, AStrangerWhoHoldsThePortAndIsSilentIsNamed) {
  const ListeningSocket never_answers;
  expect_no_store(never_answers.port);
}

TEST(Faults, WorldSizesThatDifferAreNamed) {
  const auto results = run_job(
      {.world_size = 2,
       .case_name = "shutdown",
       .comm_timeout = std::chrono::seconds(5),
       .environment = {{1, {{"WORLD_SIZE", "3"}, {"LOCAL_WORLD_SIZE", "3"}}}}});
  EXPECT_EQ(results[0].exit_code, kConfigError) << results[0].output;
  EXPECT_THAT(results[0].output, HasSubstr("rank 1 has world size 3"));
  EXPECT_EQ(results[1].exit_code, kConfigError) << results[1].output;
  EXPECT_THAT(results[1].output, HasSubstr("rank 0 has world size 2"));
}

TEST(Faults, TwoProcessesOfOneRankAreNamed) {
  const auto results = run_job(
      {.world_size = 3,
       .case_name = "shutdown",
       .comm_timeout = std::chrono::seconds(2),
       .environment = {{2, {{"RANK", "1"}, {"LOCAL_RANK", "1"}}}}});
  EXPECT_THAT(
      results[1].output + results[2].output,
      HasSubstr("two processes say that they are rank 1"));
  EXPECT_EQ(results[0].exit_code, kCommError) << results[0].output;
}

TEST(Faults, ATakenPortIsNamed) {
  const ListeningSocket taken;
  const auto results = run_job(
      {.world_size = 2,
       .case_name = "shutdown",
       .comm_timeout = std::chrono::seconds(2),
       .absent = {1},
       .inherit_socket = false,
       .port = taken.port});
  EXPECT_EQ(results[0].exit_code, kConfigError) << results[0].output;
  EXPECT_THAT(
      results[0].output,
      AllOf(
          HasSubstr("127.0.0.1:" + std::to_string(taken.port)),
          HasSubstr("errno 98")));
}

TEST(Faults, HalfSetVariablesAreRefused) {
  const auto results = run_job(
      {.world_size = 1,
       .case_name = "shutdown",
       .environment =
           {{0,
             {{"WORLD_SIZE", ""},
              {"LOCAL_WORLD_SIZE", ""},
              {"LOCAL_RANK", ""}}}},
       .inherit_socket = false});
  EXPECT_EQ(results[0].exit_code, kConfigError) << results[0].output;
  EXPECT_THAT(results[0].output, HasSubstr("WORLD_SIZE"));
}

} // namespace
} // namespace accelerate::test
