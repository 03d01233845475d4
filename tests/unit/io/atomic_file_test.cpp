// tests/unit/io/atomic_file_test.cpp: all of a file or none of it.
#include "accelerate/io/atomic_file.h"

#include "accelerate/error.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/file_bytes.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>

namespace accelerate {
namespace {

using test::read_file;
using test::TempDir;
using test::write_file;
using ::testing::HasSubstr;

std::size_t count_files(const TempDir& folder) {
  const std::filesystem::directory_iterator begin(folder.path());
  return static_cast<std::size_t>(std::distance(begin, {}));
}

/// Files can grow to `bytes` at most while this lives, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes)
      : previous_action_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &previous_);
    const rlimit limit{bytes, previous_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &previous_);
    ::signal(SIGXFSZ, previous_action_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  sighandler_t previous_action_;
  rlimit previous_{};
};

TEST(AtomicFile, KeepsTheOldFileUntilCommit) {
  const TempDir folder;
  write_file(folder / "a", "old");
  AtomicFile file(folder / "a");
  file.write("new ");
  file.write("text");
  EXPECT_EQ(read_file(folder / "a"), "old");
  file.commit();
  EXPECT_EQ(read_file(folder / "a"), "new text");
  EXPECT_EQ(count_files(folder), 1u);
}

TEST(AtomicFile, RemovesItsTemporaryFileWithoutCommit) {
  const TempDir folder;
  write_file(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("new");
    EXPECT_EQ(count_files(folder), 2u);
  }
  EXPECT_EQ(count_files(folder), 1u);
  EXPECT_EQ(read_file(folder / "a"), "old");
}

TEST(AtomicFile, ReportsAFullDiskAndLeavesNothingBehind) {
  const TempDir folder;
  write_file(folder / "a", "old");
  const std::string bytes(10000, 'x');
  try {
    const FileSizeLimit limit(4096);
    write_file_atomically(folder / "a", bytes);
    FAIL() << "no error";
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), HasSubstr((folder / "a").string()));
    EXPECT_THAT(e.what(), HasSubstr("errno 27 (File too large)"));
  }
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_EQ(count_files(folder), 1u);
}

TEST(AtomicFile, NamesPathAndErrnoWhenItCannotBegin) {
  const TempDir folder;
  try {
    const AtomicFile file(folder / "missing" / "a");
    FAIL() << "no error";
  } catch (const CheckpointError& e) {
    EXPECT_THAT(e.what(), HasSubstr((folder / "missing" / "a").string()));
    EXPECT_THAT(e.what(), HasSubstr("errno 2 (No such file or directory)"));
  }
}

TEST(AtomicFile, ReportsARenameThatFailsAndLeavesNothingBehind) {
  const TempDir folder;
  std::filesystem::create_directories(folder / "a" / "inside");
  EXPECT_THROW(write_file_atomically(folder / "a", "x"), CheckpointError);
  EXPECT_EQ(count_files(folder), 1u);
}

TEST(AtomicFile, GivesTheModeOfTheUmask) {
  const TempDir folder;
  for (const mode_t mask : {mode_t{022}, mode_t{077}}) {
    const mode_t previous = ::umask(mask);
    write_file_atomically(folder / "a", "x");
    ::umask(previous);
    struct stat status {};
    ASSERT_EQ(::stat((folder / "a").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0666u & ~mask);
  }
}

TEST(AtomicFile, MovesAndAssignsWithoutLosingOrLeakingATemporaryFile) {
  const TempDir folder;
  AtomicFile first(folder / "a");
  first.write("a");
  AtomicFile second(std::move(first));
  EXPECT_THROW(
      first.write("x"), ConfigError); // NOLINT(bugprone-use-after-move)
  AtomicFile third(folder / "b");
  EXPECT_EQ(count_files(folder), 2u);
  third = std::move(second);
  EXPECT_EQ(count_files(folder), 1u);
  AtomicFile& same = third;
  third = std::move(same);
  third.commit();
  EXPECT_EQ(read_file(folder / "a"), "a");
  EXPECT_EQ(count_files(folder), 1u);
  EXPECT_THROW(third.commit(), ConfigError);
}

TEST(AtomicFile, WritesBesideAPathWithoutFolderAndWithTheLongestName) {
  const TempDir folder;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const std::string longest(255, 'n');
  write_file_atomically(longest, "x");
  std::filesystem::current_path(before);
  EXPECT_EQ(read_file(folder / longest), "x");
}

} // namespace
} // namespace accelerate
