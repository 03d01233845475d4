// tests/dist/watch_test.cpp: ranks that wait for different things hear why, and
// slow ranks are waited for.
#include "tests/dist/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace accelerate::test {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

constexpr int kCommError = 42;

using Clock = std::chrono::steady_clock;

/// Long: what ends these jobs early is the watch.
constexpr auto kTimeout = std::chrono::minutes(5);
/// watch_after twice, for the rank that comes last, and starts of processes.
constexpr auto kLimit = std::chrono::seconds(10);

std::vector<RankResult> run_watched(const std::string& name, int world) {
  const auto begin = Clock::now();
  auto results = run_job(
      {.world_size = world, .case_name = name, .comm_timeout = kTimeout});
  EXPECT_LT(Clock::now() - begin, kLimit) << name;
  return results;
}

void expect_error(
    const RankResult& result,
    const std::string& operation,
    const std::string& sentence) {
  SCOPED_TRACE(result.output);
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, kCommError) << "signal " << result.signal;
  EXPECT_THAT(
      result.output,
      AllOf(HasSubstr("CommError: [" + operation + "] "), HasSubstr(sentence)));
}

/// All ranks name both sides: one of the many, and the last rank.
void expect_both_sides(
    const std::string& name,
    int world,
    const std::string& odd_operation) {
  const auto results = run_watched(name, world);
  const std::string last = std::to_string(world - 1);
  for (int rank = 0; rank < world; ++rank) {
    const bool is_odd = rank == world - 1;
    const auto& result = results[static_cast<std::size_t>(rank)];
    expect_error(
        result,
        is_odd ? odd_operation : "step.backward",
        " exchanges gradients while rank " + last + " is in " + odd_operation +
            "; do the ranks have different numbers of batches? (rank " +
            std::to_string(rank) + "/" + std::to_string(world) + ")");
  }
}

TEST(Watch, NamesBothSidesWhenOneRankIsInABarrier) {
  for (const int world : {2, 3, 4}) {
    expect_both_sides("watch/barrier", world, "comm.barrier");
  }
}

TEST(Watch, NamesBothSidesWhenOneRankGathers) {
  for (const int world : {2, 3}) {
    expect_both_sides("watch/gather", world, "comm.gather");
  }
}

TEST(Watch, AGroupOfOthersIsWatchedToo) {
  expect_both_sides("watch/foreign", 2, "comm.gather");
}

TEST(Watch, ABrokenGroupHoldsNobody) {
  expect_both_sides("watch/goes_on", 3, "comm.barrier");
}

/// The last rank leaves in one way or another; the others say so.
void expect_departure(
    const std::string& name,
    int world,
    const std::string& sentence) {
  const auto results = run_watched(name, world);
  for (int rank = 0; rank < world - 1; ++rank) {
    expect_error(
        results[static_cast<std::size_t>(rank)],
        "step.backward",
        "rank " + std::to_string(world - 1) + sentence + " while rank ");
  }
  EXPECT_EQ(results.back().exit_code, 0) << results.back().output;
}

TEST(Watch, SaysThatARankLeftInOrder) {
  for (const int world : {2, 3}) {
    expect_departure("watch/left", world, " has left the group in order");
    expect_departure("watch/ended", world, " has left the group in order");
  }
}

TEST(Watch, SaysThatARankIsGoneWhenItLeftNoNote) {
  const auto results = run_watched("watch/exited", 2);
  expect_error(
      results[0], "step.backward", "did it fail, or end before the others?");
}

TEST(Watch, SaysThatRank0LeftUnlessItTookTheStoreAlong) {
  const auto results = run_watched("watch/rank_0_left", 2);
  EXPECT_EQ(results[1].exit_code, kCommError);
  EXPECT_THAT(
      results[1].output,
      AnyOf(
          HasSubstr("rank 0 has left the group in order while rank 1"),
          HasSubstr("did it fail, or end before the others?")));
}

class Calm : public testing::TestWithParam<std::tuple<const char*, int>> {};

TEST_P(Calm, RaisesNoAlarm) {
  const auto& [name, world] = GetParam();
  for (const RankResult& result : run_job(
           {.world_size = world,
   .case_name = name,
   .comm_timeout = kTimeout})) {
    EXPECT_EQ(result.exit_code, 0) << result.output;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Watch,
    Calm,
    testing::Combine(
        testing::Values(
            "calm/slow",
            "calm/foreign_handle",
            "calm/reducer_alone"),
        testing::Values(2, 3)));

} // namespace
} // namespace accelerate::test
