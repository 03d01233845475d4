// tests/unit/launch/error_file_test.cpp: what torch writes, and what anybody
// else could have written.
#include "accelerate/launch/error_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_dir.h"

namespace accelerate::launch {
namespace {

TEST(ErrorFile, NamesTheException) {
  EXPECT_EQ(
      error_message_in(
          R"({"message": {"message": "ValueError: bad batch", "extraInfo":
             {"py_callstack": "Traceback…", "timestamp": "1700000000"}}})"),
      "ValueError: bad batch");
  EXPECT_EQ(error_message_in(R"({"message": "old form"})"), "old form");
  EXPECT_EQ(error_message_in(R"({"message": "a\nb"})"), "a");
  EXPECT_EQ(
      error_message_in(R"({"message": ")" + std::string(9999, 'x') + "\"}"),
      std::string(500, 'x') + "…");
}

TEST(ErrorFile, MayHoldAnything) {
  for (const std::string& text :
       {std::string(),
        std::string("{"),
        std::string("[]"),
        std::string("7"),
        std::string("{}"),
        std::string(R"({"message": 7})"),
        std::string(R"({"message": {}})"),
        std::string(R"({"message": {"message": {"message": "deep"}}})"),
        std::string("{\"message\": \"\xff\"}"),
        std::string(100'000, '[')}) {
    EXPECT_EQ(error_message_in(text), "") << text.substr(0, 50);
  }
}

TEST(ErrorFile, IsReadWhenItIsThereAndSmall) {
  const test::TempDir dir;
  EXPECT_EQ(read_error_file(""), "");
  EXPECT_EQ(read_error_file(dir / "missing"), "");
  EXPECT_EQ(read_error_file(dir.path()), "");
  EXPECT_EQ(read_error_file("/dev/zero"), "");
  std::ofstream(dir / "small") << R"({"message": "x"})";
  EXPECT_EQ(read_error_file(dir / "small"), "x");
  std::ofstream(dir / "large")
      << R"({"message": "x"})" << std::string(1 << 20, ' ');
  EXPECT_EQ(read_error_file(dir / "large"), "");
}

} // namespace
} // namespace accelerate::launch
