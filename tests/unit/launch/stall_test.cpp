// tests/unit/launch/stall_test.cpp: which rank is named, and when.
#include "accelerate/launch/stall.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace accelerate::launch {
namespace {

using namespace std::chrono_literals;
using Time = std::chrono::steady_clock::time_point;

const Time kStart{1000s};

RankPosition at(std::chrono::seconds last, std::uint64_t issued, bool waits) {
  return {
      .first = kStart + 1s,
      .last = kStart + last,
      .issued = issued,
      .done = waits ? issued - 1 : issued};
}

std::optional<int> named(
    const std::vector<RankSighting>& ranks,
    std::chrono::seconds now) {
  return find_stall(ranks, {kStart + now, 10s}).rank;
}

TEST(Stall, NamesTheRankThatOthersWaitFor) {
  const std::vector<RankSighting> ranks{
      {0, at(5s, 7, true)}, {1, at(4s, 6, false)}, {2, at(3s, 7, true)}};
  EXPECT_EQ(named(ranks, 13s), std::nullopt);
  EXPECT_EQ(named(ranks, 14s), 1);
  const StallVerdict verdict = find_stall(ranks, {kStart + 13s, 10s});
  EXPECT_EQ(verdict.next_look, kStart + 14s);
  EXPECT_EQ(find_stall(ranks, {kStart + 15s, 10s}).since, kStart + 4s);
}

TEST(Stall, NamesARankThatWaitsForNoneBeforeAMemberOfASmallerGroup) {
  // Rank 1 has taken part in fewer collectives, and waits in one of them.
  EXPECT_EQ(named({{0, at(5s, 9, false)}, {1, at(4s, 2, true)}}, 20s), 0);
}

TEST(Stall, NamesNobodyWhileTheSlowRankMoves) {
  // The others have waited for long.
  const std::vector<RankSighting> ranks{
      {0, at(2s, 7, true)}, {1, at(95s, 6, false)}};
  EXPECT_EQ(named(ranks, 100s), std::nullopt);
}

TEST(Stall, NamesAStoppedRankFirst) {
  const std::vector<RankSighting> ranks{
      {0, at(5s, 6, false)}, {1, at(5s, 7, true), kStart + 5s}};
  EXPECT_EQ(named(ranks, 16s), 1);
  // Also one that has shown nothing yet, from when it was seen stopped.
  const std::vector<RankSighting> silent{
      {0, std::nullopt}, {1, std::nullopt, kStart + 3s}};
  EXPECT_EQ(named(silent, 12s), std::nullopt);
  EXPECT_EQ(named(silent, 13s), 1);
}

TEST(Stall, NamesTheRankBehindWhenAllWait) {
  EXPECT_EQ(named({{0, at(5s, 7, true)}, {1, at(6s, 6, true)}}, 20s), 1);
  EXPECT_EQ(named({{0, at(6s, 7, true)}, {1, at(5s, 7, true)}}, 20s), 1);
}

TEST(Stall, CountsARankThatHasShownNothingFromTheFirstSignOfAny) {
  const std::vector<RankSighting> ranks{
      {0, at(1s, 1, true)}, {1, std::nullopt}};
  EXPECT_EQ(named(ranks, 10s), std::nullopt);
  EXPECT_EQ(named(ranks, 11s), 1);
}

TEST(Stall, JudgesNoProgramThatShowsNothing) {
  EXPECT_EQ(
      named({{0, std::nullopt}, {1, std::nullopt}}, 100'000s), std::nullopt);
  EXPECT_EQ(named({}, 100'000s), std::nullopt);
}

TEST(Stall, DescribesWhereARankIs) {
  RankPosition position = at(5s, 40, true);
  position.steps = 12;
  position.operation = "comm.gather";
  EXPECT_EQ(
      describe_position(position, {'T', ""}, kStart + 10200ms),
      "step 12, in comm.gather (its collective 40), no progress for 5.2 s, "
      "stopped by a signal");
  position.done = 40;
  EXPECT_EQ(
      describe_position(position, {'S', "futex_wait"}, kStart + 5s),
      "step 12, after comm.gather (its collective 40), no progress for 0.0 s, "
      "sleeping in futex_wait");
  EXPECT_EQ(
      describe_position(std::nullopt, {'R', ""}, kStart),
      "has shown no step or collective yet, running");
}

TEST(Stall, AsksTheKernelForTheStateOfAProcess) {
  EXPECT_EQ(kernel_state_of(::getpid()).letter, 'R');
  EXPECT_EQ(kernel_state_of(0).letter, '?');
}

} // namespace
} // namespace accelerate::launch
