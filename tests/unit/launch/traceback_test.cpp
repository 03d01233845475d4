// tests/unit/launch/traceback_test.cpp: other output first, then Python's and
// torch's ways to print a traceback.
#include "accelerate/launch/traceback.h"

#include <gtest/gtest.h>

namespace accelerate::launch {
namespace {

constexpr const char* kHeader = "Traceback (most recent call last):\n";

TEST(Traceback, BeginsWithItsHeadlineOrAFrame) {
  for (const char* line :
       {kHeader,
        "[rank12]: Traceback (most recent call last):\n",
        "  File \"train.py\", line 1\n"}) {
    EXPECT_TRUE(begins_traceback(line)) << line;
  }
  for (const char* line :
       {"",
        "\n",
        "ValueError: x\n",
        "  indented\n",
        "a Traceback (most recent call last):\n",
        "[rank]: Traceback (most recent call last):\n",
        "[rank1] Traceback (most recent call last):\n",
        "[rank"}) {
    EXPECT_FALSE(begins_traceback(line)) << line;
  }
}

TEST(Traceback, IsIgnoredAfterTheseWords) {
  EXPECT_TRUE(announces_ignored("Exception ignored in: <function f>\n"));
  EXPECT_TRUE(announces_ignored("Exception ignored in atexit callback: f\n"));
  EXPECT_TRUE(announces_ignored("[rank3]: Error in atexit._run_exitfuncs:\n"));
  EXPECT_FALSE(announces_ignored("Exception in thread Thread-1 (f):\n"));
  EXPECT_FALSE(announces_ignored(""));
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
      {std::string("[rank1]: ") + kHeader + "[rank1]:   frame\n[rank1]: E: a\n",
       "E: a"},
      // What cannot be cleaned up at the end is not the cause.
      {kHeader + frame + "E: a\nException ignored in: <f>\n" + kHeader + frame +
           "F: b\n",
       "E: a"},
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

TEST(Traceback, KeepsTheFirstSentenceOfAnException) {
  const std::pair<std::string, std::string> rows[] = {
      {"", ""},
      {"KeyError: 'a. b'", "KeyError: 'a. b'"},
      {"E: gone. Did it fail? Look there", "E: gone."},
      {"E: is it gone? Look there", "E: is it gone?"},
      {"E: 1.5 s, e.g. this one. ", "E: 1.5 s, e.g. this one. "},
      {"E: gone. ", "E: gone. "},
      {"E: gone.", "E: gone."}};
  for (const auto& [text, expected] : rows) {
    EXPECT_EQ(first_sentence(text), expected) << text;
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
