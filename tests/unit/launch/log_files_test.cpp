// tests/unit/launch/log_files_test.cpp
#include "accelerate/launch/log_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"
#include "tests/support/started_program.h"

namespace accelerate::launch {
namespace {

using testing::HasSubstr;

TEST(LogFile, KeepsWhatIsWritten) {
  const test::TempDir dir;
  LogFile file(dir / "log");
  EXPECT_TRUE(file);
  EXPECT_EQ(file.write("a"), "");
  EXPECT_EQ(file.write("b\n"), "");
  EXPECT_EQ(test::read_text(dir / "log"), "ab\n");
}

TEST(LogFile, ClosesAfterAFailureAndNamesItOnce) {
  LogFile file("/dev/full");
  EXPECT_THAT(file.write("a"), HasSubstr("/dev/full: errno 28"));
  EXPECT_FALSE(file);
  EXPECT_EQ(file.write("b"), "");
  LogFile none;
  EXPECT_EQ(none.write("a"), "");
}

TEST(LogFolder, HasAFolderPerRank) {
  const test::TempDir dir;
  const LogFolder folder(dir / "run/attempt_2", 3);
  EXPECT_TRUE(std::filesystem::is_directory(dir / "run/attempt_2/0"));
  EXPECT_EQ(folder.of(2), dir / "run/attempt_2/2");
  EXPECT_TRUE(std::filesystem::is_directory(folder.of(2)));
  EXPECT_FALSE(LogFolder());
}

TEST(LogFolder, NamesWhatCannotBeMade) {
  try {
    const LogFolder folder("/dev/null/logs/attempt_0", 1);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("/dev/null/logs/attempt_0/0"));
  }
  EXPECT_THROW(LogFile("/dev/null/x"), ConfigError);
}

} // namespace
} // namespace accelerate::launch
