// tests/unit/launch/line_tail_test.cpp: the last lines, never more than fit.
#include "accelerate/launch/line_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace accelerate::launch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LineTail, IsEmptyAtFirst) {
  EXPECT_THAT(LineTail().lines(), IsEmpty());
}

TEST(LineTail, KeepsEmptyLinesAndDropsLineEnds) {
  LineTail tail;
  for (const char* line : {"one\n", "\n", "two\r\n", "\n"}) {
    tail.add(line);
  }
  EXPECT_THAT(tail.lines(), ElementsAre("one", "", "two", ""));
}

TEST(LineTail, KeepsTheLastLines) {
  LineTail tail;
  for (int i = 0; i < 100'000; ++i) {
    tail.add("line " + std::to_string(i) + '\n');
  }
  const auto lines = tail.lines();
  ASSERT_EQ(lines.size(), LineTail::kMaxLines);
  EXPECT_EQ(lines.front(), "line 99980");
  EXPECT_EQ(lines.back(), "line 99999");
}

TEST(LineTail, KeepsTheEndOfLongLines) {
  LineTail tail;
  tail.add(std::string(10'000'000, 'x') + "end\n");
  const auto lines = tail.lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_LE(lines[0].size(), LineTail::kMaxBytes);
  EXPECT_TRUE(lines[0].ends_with("xend"));
}

TEST(LineTail, KeepsOnlyTheLastStateOfAProgressBar) {
  LineTail tail;
  tail.add("start\n");
  for (const char* state : {" 1%\r", " 2%\r", "100%\r"}) {
    tail.add(state);
  }
  EXPECT_THAT(tail.lines(), ElementsAre("start", "100%"));
  tail.add("\n");
  tail.add("end\n");
  EXPECT_EQ(tail.lines().back(), "end");
}

} // namespace
} // namespace accelerate::launch
