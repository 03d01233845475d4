// tests/unit/io/mapped_file_test.cpp: what can and cannot be mapped.
#include "accelerate/io/mapped_file.h"

#include "accelerate/error.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/file_bytes.h"

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace accelerate::io {
namespace {

using test::TempDir;
using test::write_file;
using ::testing::HasSubstr;

std::string refusal(const std::filesystem::path& path) {
  try {
    const MappedFile file(path);
  } catch (const CheckpointError& e) {
    return e.what();
  }
  return "(accepted)";
}

TEST(MappedFile, RefusesWhatIsNoRegularFileWithoutWaiting) {
  const TempDir folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal(folder / "pipe"), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal(folder.path()), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal("/dev/zero"), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal(folder / "missing"), HasSubstr("errno 2"));
}

TEST(MappedFile, MapsAnEmptyFileAsNoBytes) {
  const TempDir folder;
  write_file(folder / "a", "");
  EXPECT_TRUE(MappedFile(folder / "a").bytes().empty());
}

TEST(MappedFile, ShowsAndReadsTheSameBytesAndReportsTheEnd) {
  const TempDir folder;
  write_file(folder / "a", "0123456789");
  const MappedFile file(folder / "a");
  EXPECT_EQ(file.bytes(), "0123456789");
  std::string part(4, ' ');
  file.read(part.data(), part.size(), 3);
  EXPECT_EQ(part, "3456");
  EXPECT_THROW(file.read(part.data(), part.size(), 8), CheckpointError);
}

} // namespace
} // namespace accelerate::io
