// tests/unit/launch/line_splitter_test.cpp: lines whole, however they arrive.
#include "accelerate/launch/line_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace accelerate::launch {
namespace {

using Mode = LineSplitter::CarriageReturn;
using testing::ElementsAre;
using testing::IsEmpty;
using Lines = std::vector<std::string>;

/// Feeds `text` in pieces of `piece` bytes.
Lines split(Mode mode, std::string_view text, std::size_t piece) {
  Lines lines;
  const auto keep = [&](std::string_view line) { lines.emplace_back(line); };
  LineSplitter splitter(mode);
  for (std::size_t i = 0; i < text.size(); i += piece) {
    splitter.feed(text.substr(i, piece), keep);
  }
  splitter.finish(keep);
  splitter.finish(keep);
  return lines;
}

TEST(LineSplitter, GivesTheSameLinesForAllPieceSizes) {
  for (const std::size_t piece : {1, 2, 3, 5, 100}) {
    EXPECT_THAT(split(Mode::kOverwrites, "", piece), IsEmpty());
    EXPECT_THAT(
        split(Mode::kOverwrites, "\n\n", piece), ElementsAre("\n", "\n"));
    EXPECT_THAT(
        split(Mode::kOverwrites, "one\ntwo\nrest", piece),
        ElementsAre("one\n", "two\n", "rest\n"));
    EXPECT_THAT(
        split(Mode::kEndsPiece, " 1%\r 2%\rdone\n", piece),
        ElementsAre(" 1%\r", " 2%\r", "done\n"));
  }
}

TEST(LineSplitter, ShowsOnlyWhatIsNotOverwritten) {
  for (const std::size_t piece : {1, 4, 100}) {
    EXPECT_THAT(
        split(Mode::kOverwrites, "\r 1%\r 2%\r100%\nnext\n", piece),
        ElementsAre("100%\n", "next\n"));
    EXPECT_THAT(
        split(Mode::kOverwrites, "windows\r\n\r\nx\r\n", piece),
        ElementsAre("windows\r\n", "\r\n", "x\r\n"));
  }
}

TEST(LineSplitter, CutsLinesThatWouldNotFitInMemory) {
  const std::string endless(3 * LineSplitter::kMaxLine + 10, 'x');
  const Lines lines = split(Mode::kOverwrites, endless, 65536);
  ASSERT_EQ(lines.size(), 4U);
  std::size_t total = 0;
  for (const std::string& line : lines) {
    EXPECT_EQ(line.back(), '\n');
    EXPECT_LE(line.size(), LineSplitter::kMaxLine + 65536);
    total += line.size() - 1;
  }
  EXPECT_EQ(total, endless.size());
}

} // namespace
} // namespace accelerate::launch
