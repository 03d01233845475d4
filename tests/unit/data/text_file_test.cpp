// tests/unit/data/text_file_test.cpp
#include "accelerate/data/text_file_impl.h"

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate::data {
namespace {

using testing::HasSubstr;

TEST(TextFile, NamesTheFileThatCannotBeRead) {
  EXPECT_THAT(
      message_of<ConfigError>([] { (void)read_text_file("/no/such.csv"); }),
      HasSubstr("cannot read '/no/such.csv': errno 2"));
  EXPECT_THAT(
      message_of<ConfigError>([] { (void)read_text_file("/"); }),
      HasSubstr("errno 21"));
}

TEST(TextFile, RefusesNothingAndABareByteOrderMark) {
  EXPECT_THAT(
      message_of<ConfigError>([] { (void)checked_text("a", ""); }),
      HasSubstr("'a' is empty"));
  EXPECT_THROW((void)checked_text("a", "\xef\xbb\xbf"), ConfigError);
}

TEST(TextFile, NamesTheLineThatIsNotUtf8) {
  EXPECT_THAT(
      message_of<ConfigError>([] { (void)checked_text("a", "x\ny\xe9z"); }),
      HasSubstr("a:2: byte 0xe9 is not UTF-8"));
  using std::string_literals::operator""s;
  for (const std::string& bad :
       {"\x80"s,
        "\xc0\x80"s,
        "\xc1\xbf"s,
        "\xc3"s,
        "\xc3("s,
        "\xe0\x9f\xbf"s,
        "\xed\xa0\x80"s,
        "\xe2\x82"s,
        "\xf0\x8f\xbf\xbf"s,
        "\xf4\x90\x80\x80"s,
        "\xf5\x80\x80\x80"s,
        "\xf0\x9f\x98"s,
        "\xff"s}) {
    EXPECT_THROW((void)checked_text("a", bad), ConfigError);
  }
}

TEST(TextFile, KeepsUtf8AndDropsTheByteOrderMark) {
  for (const char* good :
       {"a",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(checked_text("a", good).text, good);
    EXPECT_EQ(checked_text("a", std::string("\xef\xbb\xbf") + good).text, good);
  }
}

} // namespace
} // namespace accelerate::data
