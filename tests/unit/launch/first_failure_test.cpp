// tests/unit/launch/first_failure_test.cpp: the cause is named, not what it
// caused.
#include "accelerate/launch/first_failure.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "accelerate/error.h"

namespace accelerate::launch {
namespace {

using namespace std::chrono_literals;

const std::chrono::steady_clock::time_point kEarly{1s};
const std::chrono::steady_clock::time_point kLate{2s};
constexpr auto kRunning = Suspect::State::kRunning;

TEST(FirstFailure, NeedsOne) {
  EXPECT_THROW((void)first_failure({}), InternalError);
}

TEST(FirstFailure, IsTheFirstSeenWhenNothingElseIsKnown) {
  EXPECT_EQ(first_failure({{.rank = 2}, {.rank = 0}}), 2);
}

TEST(FirstFailure, IsTheRankKilledByASignal) {
  EXPECT_EQ(
      first_failure(
          {{.rank = 0, .traceback_since = kEarly},
           {.rank = 1, .signal = SIGKILL}}),
      1);
  // How a C++ program ends that lost its peer.
  EXPECT_EQ(
      first_failure(
          {{.rank = 0, .signal = SIGABRT},
           {.rank = 1, .traceback_since = kEarly}}),
      1);
  EXPECT_EQ(first_failure({{.rank = 3, .signal = SIGABRT}}), 3);
}

TEST(FirstFailure, IsTheEarliestTraceback) {
  EXPECT_EQ(
      first_failure(
          {{.rank = 0, .traceback_since = kLate},
           {.rank = 1, .traceback_since = kEarly},
           {.rank = 2}}),
      1);
}

TEST(FirstFailure, WaitsForTheRankThatRaisedFirst) {
  const Suspect ended{.rank = 0, .traceback_since = kLate};
  EXPECT_EQ(
      first_failure(
          {ended, {.rank = 1, .state = kRunning, .traceback_since = kEarly}}),
      std::nullopt);
  EXPECT_EQ(
      first_failure(
          {ended,
           {.rank = 1, .state = kRunning, .traceback_since = kLate + 1ms}}),
      0);
}

} // namespace
} // namespace accelerate::launch
