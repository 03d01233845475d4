// tests/unit/io/crc32c_test.cpp: the check values of RFC 3720 and of every
// catalogue.
#include "accelerate/io/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace accelerate {
namespace {

struct Row {
  std::string bytes;
  std::uint32_t crc;
};

std::string ramp(int first, int step) {
  std::string bytes;
  for (int i = 0; i < 32; ++i) {
    bytes.push_back(static_cast<char>(first + i * step));
  }
  return bytes;
}

TEST(Crc32c, GivesTheStandardCheckValues) {
  const Row rows[] = {
      {"", 0},
      {"123456789", 0xe3069283},
      {std::string(32, '\0'), 0x8a9136aa},
      {std::string(32, '\xff'), 0x62a8ab43},
      {ramp(0, 1), 0x46dd794e},
      {ramp(31, -1), 0x113fdb5c}};
  for (const Row& row : rows) {
    EXPECT_EQ(crc32c(row.bytes), row.crc);
    EXPECT_EQ(io::crc32c_portable(row.bytes), row.crc);
  }
}

TEST(Crc32c, IsTheSameInPiecesAndWithoutInstructions) {
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    bytes.push_back(static_cast<char>(i * 37));
    const std::string_view whole = bytes;
    const std::uint32_t expected = io::crc32c_portable(whole);
    EXPECT_EQ(crc32c(whole), expected);
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
      EXPECT_EQ(
          crc32c(whole.substr(cut), crc32c(whole.substr(0, cut))), expected);
      EXPECT_EQ(
          io::crc32c_portable(
              whole.substr(cut), io::crc32c_portable(whole.substr(0, cut))),
          expected);
    }
  }
}

} // namespace
} // namespace accelerate
