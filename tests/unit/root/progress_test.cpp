// tests/unit/root/progress_test.cpp: pictures and timing of the progress bar,
// on a clock and a terminal of the test's own.
#include "accelerate/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "accelerate/error.h"

namespace accelerate {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

struct FakeScreen {
  std::chrono::steady_clock::time_point time{1h};
  std::vector<std::string> writes;
  int columns = 0;

  ProgressTerminal terminal() {
    return {
        .write = [this](std::string_view text) { writes.emplace_back(text); },
        .now = [this] { return time; },
        .columns = [this] { return columns; }};
  }
};

TEST(Progress, RejectsOptionsOutOfRangeWithNameValueAndRange) {
  FakeScreen screen;
  const auto message = [&](const ProgressOptions& options) {
    try {
      ProgressBar bar(options, screen.terminal());
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(
      message({.total = -1}), HasSubstr("total is -1, expected at least 0"));
  EXPECT_THAT(
      message({.smoothing = 1.5}),
      HasSubstr("smoothing is 1.5, expected 0 to"));
  EXPECT_THAT(
      message({.line_interval = -1ms}), HasSubstr("line_interval is -1 ms"));
  EXPECT_THAT(screen.writes, IsEmpty());
}

TEST(Progress, DrawsCountTimeRateAndPostfixInTheUsualForm) {
  FakeScreen screen;
  screen.columns = 73;
  ProgressBar bar(
      {.total = 532, .description = "training", .smoothing = 0},
      screen.terminal());
  bar.set_postfix({{"loss", 0.3124}});
  screen.time += 41200ms;
  bar.update(223);
  EXPECT_THAT(
      screen.writes,
      ElementsAre(
          "\rtraining:   0%|                                 | 0/532 [00:00<?, "
          "?it/s]",
          "\rtraining:  42%|████▌      | 223/532 "
          "[00:41<00:57,  5.41it/s, loss=0.312]"));
}

TEST(Progress, ShowsSlowLoopsInSecondsPerIterationAndLongOnesInHours) {
  FakeScreen screen;
  ProgressBar bar({.total = 10, .unit = "file"}, screen.terminal());
  screen.time += 2h + 5min + 9s;
  bar.update(5);
  EXPECT_THAT(
      screen.writes,
      ElementsAre(" 50%|█████     | 5/10 [2:05:09<2:05:09, 1501.80s/file]\n"));
}

TEST(Progress, LeavesOutBarAndRemainingTimeWithoutATotal) {
  FakeScreen screen;
  ProgressBar bar({.description = "reading"}, screen.terminal());
  screen.time += 20s;
  bar.update(100);
  bar.set_postfix({{"file", "a.csv"}, {"rows", 7}});
  bar.close();
  EXPECT_THAT(
      screen.writes,
      ElementsAre(
          "reading: 100it [00:20,  5.00it/s]\n",
          "reading: 100it [00:20,  5.00it/s, file=a.csv, rows=7]\n"));
}

TEST(Progress, ForgetsATotalThatWasPassedAndFinishesAnEmptyOne) {
  FakeScreen screen;
  ProgressBar passed({.total = 2}, screen.terminal());
  screen.time += 1s;
  passed.update(3);
  passed.close();
  ProgressBar empty({.total = 0}, screen.terminal());
  empty.close();
  EXPECT_THAT(
      screen.writes,
      ElementsAre(
          "3it [00:01,  3.00it/s]\n",
          "100%|██████████| 0/0 [00:00<?, ?it/s]\n"));
}

TEST(Progress, RedrawsAtMostTenTimesASecondOnATerminal) {
  FakeScreen screen;
  screen.columns = 60;
  ProgressBar bar({.total = 1000}, screen.terminal());
  for (int i = 0; i < 1000; ++i) {
    screen.time += 1ms;
    bar.update();
  }
  EXPECT_THAT(screen.writes, SizeIs(1 + 10));
  bar.close();
  EXPECT_THAT(screen.writes, SizeIs(1 + 10 + 2));
  EXPECT_EQ(screen.writes.back(), "\n");
}

TEST(Progress, WritesALineEveryFewSecondsElsewhere) {
  FakeScreen screen;
  ProgressBar bar({.total = 35}, screen.terminal());
  for (int i = 0; i < 35; ++i) {
    screen.time += 1s;
    bar.update();
  }
  bar.close();
  ASSERT_THAT(screen.writes, SizeIs(4));
  EXPECT_THAT(screen.writes, testing::Each(EndsWith("]\n")));
  EXPECT_THAT(screen.writes[0], HasSubstr("10/35"));
  EXPECT_THAT(
      screen.writes[3], HasSubstr("100%|██████████| 35/35 [00:35<00:00"));
}

TEST(Progress, FitsTheTerminalAndErasesWhatALongerLineLeft) {
  FakeScreen screen;
  screen.columns = 50;
  ProgressBar bar({.description = "a long description"}, screen.terminal());
  bar.set_description("short");
  screen.time += 1s;
  bar.update();
  ASSERT_THAT(screen.writes, SizeIs(2));
  EXPECT_EQ(screen.writes[0].size(), screen.writes[1].size());
  EXPECT_THAT(screen.writes[1], EndsWith("]         "));
  screen.columns = 12;
  screen.time += 1s;
  bar.update();
  EXPECT_EQ(screen.writes[2].substr(0, 12), "\rshort: 2it ");
}

TEST(Progress, SmoothsTheRateTowardsTheLatestInterval) {
  FakeScreen screen;
  ProgressBar bar({.smoothing = 0.5}, screen.terminal());
  screen.time += 10s;
  bar.update(100); // 10 a second
  screen.time += 10s;
  bar.update(400); // 40 a second: (50 / 2 + 200) / (5 / 2 + 5)
  EXPECT_THAT(screen.writes.back(), HasSubstr("30.00it/s"));
  bar.close(); // the average: 500 in 20 s
  EXPECT_THAT(screen.writes.back(), HasSubstr("25.00it/s"));
}

TEST(Progress, PrintsNothingWhenDisabled) {
  FakeScreen screen;
  screen.columns = 80;
  {
    ProgressBar bar({.total = 3, .enabled = false}, screen.terminal());
    screen.time += 1h;
    bar.update(3);
    bar.set_postfix({{"loss", 1.0}});
    bar.set_description("x");
    bar.close();
  }
  EXPECT_THAT(screen.writes, IsEmpty());
}

TEST(Progress, ClosesOnceAlsoWhenMovedAndIgnoresLateUpdates) {
  FakeScreen screen;
  {
    ProgressBar first({.total = 4}, screen.terminal());
    first.update(1);
    ProgressBar second(std::move(first));
    second.update(1);
    EXPECT_EQ(second.count(), 2);
    ProgressBar third({.total = 9}, screen.terminal());
    third = std::move(second); // closes the bar of nine
    third.close();
    third.close();
    third.update(1);
  }
  ASSERT_THAT(screen.writes, SizeIs(2));
  EXPECT_THAT(screen.writes[0], HasSubstr("0/9"));
  EXPECT_THAT(screen.writes[1], HasSubstr("2/4"));
}

} // namespace
} // namespace accelerate
