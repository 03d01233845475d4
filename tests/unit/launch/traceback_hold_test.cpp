// tests/unit/launch/traceback_hold_test.cpp: what is held, for how long, and
// when a rank goes on.
#include "accelerate/launch/traceback_hold.h"

#include <gtest/gtest.h>

namespace accelerate::launch {
namespace {

using namespace std::chrono_literals;
using Until = TracebackHold::Until;

const TracebackHold::Time kStart{1h};
constexpr const char* kHeader = "Traceback (most recent call last):\n";
constexpr const char* kIgnored = "Exception ignored in: <function f>\n";

/// Holds a whole traceback that began at kStart.
TracebackHold raised() {
  TracebackHold hold;
  for (const char* line : {kHeader, "  File \"x\"\n", "E: x\n"}) {
    EXPECT_TRUE(hold.take(line, kStart));
  }
  return hold;
}

TEST(TracebackHold, PassesOtherLinesOn) {
  TracebackHold hold;
  for (const char* line : {"", "\n", "ValueError: x\n", "  indented\n"}) {
    EXPECT_FALSE(hold.take(line, kStart)) << line;
    EXPECT_FALSE(hold.since());
  }
  EXPECT_EQ(hold.release(), "");
  EXPECT_EQ(hold.pass_on(), "");
  EXPECT_EQ(hold.remembered(), "");
  EXPECT_FALSE(hold.is_overdue(Until::kOverdue, kStart + 1h));
  EXPECT_FALSE(hold.next_change(Until::kOverdue));
}

TEST(TracebackHold, TakesEverythingFromTheHeaderOn) {
  TracebackHold hold;
  EXPECT_TRUE(hold.take(kHeader, kStart));
  EXPECT_TRUE(hold.take("anything\n", kStart + 3s));
  EXPECT_TRUE(hold.is_held());
  EXPECT_EQ(hold.since(), kStart);
  EXPECT_EQ(hold.release(), kHeader + std::string("anything\n"));
  EXPECT_FALSE(hold.since());
  EXPECT_FALSE(hold.take("anything\n", kStart + 3s));
}

TEST(TracebackHold, EndsAfterItsTimeOrSpace) {
  TracebackHold hold = raised();
  const auto due = kStart + TracebackHold::kMaxTime;
  EXPECT_EQ(hold.next_change(Until::kOverdue), due);
  EXPECT_FALSE(hold.is_overdue(Until::kOverdue, due - 1ms));
  EXPECT_TRUE(hold.is_overdue(Until::kOverdue, due));
  EXPECT_TRUE(hold.take(std::string(TracebackHold::kMaxBytes, 'x'), kStart));
  EXPECT_TRUE(hold.is_overdue(Until::kOverdue, kStart));
  EXPECT_TRUE(hold.is_overdue(Until::kGoesOn, kStart));
}

TEST(TracebackHold, LastsUntilTheRankGoesOnWhenAsked) {
  TracebackHold hold = raised();
  EXPECT_FALSE(hold.next_change(Until::kGoesOn));
  EXPECT_FALSE(hold.is_overdue(Until::kGoesOn, kStart + 1h));
  ASSERT_TRUE(hold.take("later\n", kStart + 6s));
  EXPECT_EQ(hold.next_change(Until::kGoesOn), kStart + 7s);
  EXPECT_FALSE(hold.is_overdue(Until::kGoesOn, kStart + 6999ms));
  EXPECT_TRUE(hold.is_overdue(Until::kGoesOn, kStart + 7s));
  // Never earlier than without being asked.
  TracebackHold soon = raised();
  soon.note_output(kStart + 1s);
  EXPECT_EQ(soon.next_change(Until::kGoesOn), kStart + TracebackHold::kMaxTime);
}

TEST(TracebackHold, RemembersWhatWasPassedOn) {
  TracebackHold hold = raised();
  const std::string text = hold.pass_on();
  EXPECT_EQ(text, kHeader + std::string("  File \"x\"\nE: x\n"));
  EXPECT_FALSE(hold.is_held());
  EXPECT_EQ(hold.since(), kStart);
  EXPECT_EQ(hold.remembered(), text);
  EXPECT_FALSE(hold.next_change(Until::kOverdue));
  hold.forget(kStart + 1h);
  EXPECT_EQ(hold.remembered(), text);
  EXPECT_EQ(hold.release(), "") << "it was passed on";
  EXPECT_FALSE(hold.since());
}

TEST(TracebackHold, ForgetsARankThatGoesOn) {
  // Printed on standard error or output, while it was held or later.
  for (const bool is_error : {true, false}) {
    for (const auto time : {2s, 20s}) {
      TracebackHold hold = raised();
      const auto print = [&] {
        if (is_error) {
          (void)hold.take("step 5\n", kStart + time);
        } else {
          hold.note_output(kStart + time);
        }
      };
      if (time < TracebackHold::kMaxTime) {
        print();
        (void)hold.pass_on();
      } else {
        (void)hold.pass_on();
        print();
      }
      EXPECT_EQ(hold.next_change(Until::kOverdue), kStart + time + 1s);
      // It may have been the last word before its end.
      hold.forget(kStart + time + 999ms);
      EXPECT_TRUE(hold.since());
      hold.forget(kStart + time + 1s);
      EXPECT_FALSE(hold.since());
      EXPECT_EQ(hold.remembered(), "");
    }
  }
}

TEST(TracebackHold, CountsTheMessageAndOtherPartsAsTheTraceback) {
  TracebackHold hold = raised();
  for (const char* line :
       {"second line of the message\n",
        "\n",
        "During handling of the above exception, another occurred:\n",
        kHeader}) {
    EXPECT_FALSE(hold.is_another(line, kStart + 900ms));
    EXPECT_TRUE(hold.take(line, kStart + 900ms));
  }
  // Frames may take their time.
  EXPECT_TRUE(hold.take("  File \"y\"\n", kStart + 3s));
  EXPECT_TRUE(hold.take("F: y\n", kStart + 3s));
  hold.note_output(kStart + 3900ms);
  (void)hold.pass_on();
  EXPECT_FALSE(hold.next_change(Until::kOverdue));
  EXPECT_EQ(hold.since(), kStart);
}

TEST(TracebackHold, NamesTheExceptionOfATracebackThatWasTooLong) {
  TracebackHold hold;
  ASSERT_TRUE(hold.take(kHeader, kStart));
  (void)hold.pass_on();
  EXPECT_FALSE(hold.take("  File \"x\"\n", kStart));
  EXPECT_FALSE(hold.take("RecursionError: x\n", kStart));
  EXPECT_FALSE(hold.take("of two lines\n", kStart));
  EXPECT_EQ(hold.remembered(), kHeader + std::string("RecursionError: x\n"));
}

TEST(TracebackHold, BeginsAgainWithALaterTraceback) {
  for (const bool is_passed_on : {false, true}) {
    TracebackHold hold = raised();
    if (is_passed_on) {
      (void)hold.pass_on();
    }
    EXPECT_FALSE(hold.is_another("E: y\n", kStart + 3s));
    EXPECT_FALSE(hold.is_another(kHeader, kStart + 999ms));
    ASSERT_TRUE(hold.is_another(kHeader, kStart + 3s));
    EXPECT_EQ(hold.release().empty(), is_passed_on);
    EXPECT_TRUE(hold.take(kHeader, kStart + 3s));
    EXPECT_EQ(hold.since(), kStart + 3s);
    EXPECT_EQ(hold.release(), kHeader);
  }
}

TEST(TracebackHold, LeavesIgnoredExceptionsAlone) {
  TracebackHold hold;
  for (const char* line :
       {kIgnored, kHeader, "  File \"x\"\n", "    f()\n", "E: x\n"}) {
    EXPECT_FALSE(hold.take(line, kStart)) << line;
  }
  EXPECT_TRUE(hold.take(kHeader, kStart)) << "of another exception";
  // At the interpreter's end, after the traceback that counts.
  TracebackHold ends = raised();
  EXPECT_TRUE(ends.take(kIgnored, kStart + 2s));
  EXPECT_FALSE(ends.is_another(kHeader, kStart + 2s));
  EXPECT_TRUE(ends.take(kHeader, kStart + 2s));
  EXPECT_TRUE(ends.take("F: y\n", kStart + 2s));
  EXPECT_EQ(ends.since(), kStart);
}

} // namespace
} // namespace accelerate::launch
