// tests/unit/io/strict_json_test.cpp: what stops before or in the parser.
#include "accelerate/io/strict_json_impl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace accelerate::io {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    (void)parse_strict_json(text, 2);
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "(accepted)";
}

TEST(StrictJson, CountsDepthOutsideStringsOnly) {
  EXPECT_EQ(refusal(R"([["[[[[", "\"[[[", "\\"], []])"), "(accepted)");
  EXPECT_THAT(refusal("[[[]]]"), HasSubstr("deeper than 2 at byte 2"));
  EXPECT_THAT(refusal(std::string(1000000, '{')), HasSubstr("deeper than 2"));
}

TEST(StrictJson, RefusesTheSameKeyInOneObjectOnly) {
  EXPECT_EQ(refusal(R"([{"a":1},{"a":1}])"), "(accepted)");
  EXPECT_EQ(refusal(R"({"a":{"a":1}})"), "(accepted)");
  EXPECT_THAT(refusal(R"({"a":1,"b":2,"a":3})"), HasSubstr("'a' occurs twice"));
  EXPECT_THAT(refusal(R"({"a":1,"\u0061":3})"), HasSubstr("'a' occurs twice"));
}

TEST(StrictJson, RefusesZeroBytesAndRubbish) {
  EXPECT_THAT(refusal(std::string("{}\0{", 4)), HasSubstr("byte 2 is zero"));
  for (const char* text : {"", "]", "}{", "{\"a\"}", "[1,]", "nan", "1e999"}) {
    EXPECT_NE(refusal(text), "(accepted)") << text;
  }
}

} // namespace
} // namespace accelerate::io
