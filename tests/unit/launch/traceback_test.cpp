// tests/unit/launch/traceback_test.cpp: other output first, then Python's and
// torch's ways to print a traceback.
#include "accelerate/launch/traceback.h"

#include <gtest/gtest.h>

namespace accelerate::launch {
namespace {

using namespace std::chrono_literals;

const TracebackHold::Time kStart{1h};
constexpr const char* kHeader = "Traceback (most recent call last):\n";

TEST(TracebackHold, PassesOtherLinesOn) {
  TracebackHold hold;
  for (const char* line :
       {"",
        "\n",
        "ValueError: x\n",
        "  indented\n",
        "a Traceback (most recent call last):\n",
        "[rank]: Traceback (most recent call last):\n",
        "[rank1] Traceback (most recent call last):\n",
        "[rank"}) {
    EXPECT_FALSE(hold.take(line, kStart)) << line;
    EXPECT_FALSE(hold.since());
  }
  EXPECT_EQ(hold.release(), "");
  EXPECT_FALSE(hold.is_overdue(kStart + 1h));
}

TEST(TracebackHold, TakesEverythingFromTheHeaderOn) {
  for (const char* header :
       {kHeader,
        "[rank12]: Traceback (most recent call last):\n",
        "  File \"train.py\", line 1\n"}) {
    TracebackHold hold;
    EXPECT_TRUE(hold.take(header, kStart));
    EXPECT_TRUE(hold.take("anything\n", kStart + 1s));
    EXPECT_EQ(hold.since(), kStart);
    EXPECT_EQ(hold.release(), header + std::string("anything\n"));
    EXPECT_FALSE(hold.take("anything\n", kStart + 1s));
  }
}

TEST(TracebackHold, EndsAfterItsTimeOrSpace) {
  TracebackHold hold;
  ASSERT_TRUE(hold.take(kHeader, kStart));
  EXPECT_FALSE(hold.is_overdue(kStart));
  EXPECT_FALSE(hold.is_overdue(kStart + TracebackHold::kMaxTime - 1ms));
  EXPECT_TRUE(hold.is_overdue(kStart + TracebackHold::kMaxTime));
  EXPECT_TRUE(hold.take(std::string(TracebackHold::kMaxBytes, 'x'), kStart));
  EXPECT_TRUE(hold.is_overdue(kStart));
}

TEST(Traceback, LosesOnlyTheMarksOfTorch) {
  EXPECT_EQ(without_rank_marks(""), "");
  EXPECT_EQ(
      without_rank_marks("[rank1]: a\n[rank10]:   b\n[rank]: c\n[rank2]:d\ne"),
      "a\n  b\n[rank]: c\n[rank2]:d\ne");
}

TEST(Traceback, NamesTheLastException) {
  const std::string frame = "  File \"x.py\", line 3, in f\n    g()\n    ^^^\n";
  const std::pair<std::string, std::string> rows[] = {
      {"", ""},
      {"no traceback\n", ""},
      // Ended while it was printing.
      {kHeader + frame, ""},
      {kHeader + frame + "ValueError: a: b\r\n", "ValueError: a: b"},
      {kHeader + frame + "KeyError", "KeyError"},
      // A message of several lines, then words of the interpreter's end.
      {kHeader + frame + "E: one\n\ntwo\nwarning: late\n", "E: one"},
      {kHeader + frame + "E: one\n\nDuring handling of the above exception, " +
           "another exception occurred:\n\n" + kHeader + frame + "F: two\n",
       "F: two"},
      {"  File \"x.py\", line 1\n    a b\n      ^\nSyntaxError: bad\n",
       "SyntaxError: bad"}};
  for (const auto& [text, expected] : rows) {
    EXPECT_EQ(exception_line(text), expected) << text;
  }
}

TEST(Traceback, ShortensLongMessagesBetweenCharacters) {
  const std::string begin = std::string(kHeader) + "  frame\nE: ";
  for (const int ascii : {195, 196, 197}) {
    const std::string line =
        exception_line(begin + std::string(std::size_t(ascii), 'x') + "éééé\n");
    EXPECT_LE(line.size(), 203U);
    EXPECT_TRUE(line.ends_with("…"));
    // What precedes the ellipsis is whole characters.
    const std::string kept = line.substr(3, line.size() - 6);
    const std::size_t letters = kept.size() - std::size_t(ascii);
    EXPECT_EQ(letters % 2, 0U) << ascii;
  }
}

} // namespace
} // namespace accelerate::launch
