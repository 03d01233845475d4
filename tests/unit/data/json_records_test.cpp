// tests/unit/data/json_records_test.cpp
#include "accelerate/data/json_records_impl.h"

#include <cmath>

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Table parsed(std::string text) {
  return parse_json_records(checked_text("f.json", std::move(text)));
}

std::string error_of(std::string text) {
  return message_of<ConfigError>([&] { (void)parsed(std::move(text)); });
}

TEST(JsonRecords, NamesFileAndLineOfMalformedRecords) {
  EXPECT_THAT(error_of("{\"a\":1}\n{\"a\":\n"), HasSubstr("f.json:2: "));
  EXPECT_THAT(error_of("[{\"a\":1},"), HasSubstr("f.json: "));
  EXPECT_THAT(error_of("{\"a\":1} x"), HasSubstr("f.json:1: "));
  EXPECT_THAT(
      error_of("\n7\n"), HasSubstr("f.json:2: expected an object, got number"));
  EXPECT_THAT(
      error_of("[{\"a\":1}, null]"),
      HasSubstr("f.json:element 1: expected an object, got null"));
  EXPECT_THAT(error_of("[]"), HasSubstr("holds no records"));
  EXPECT_THAT(error_of(" \n"), HasSubstr("holds no records"));
}

TEST(JsonRecords, RefusesNestedAndMixedValues) {
  EXPECT_THAT(
      error_of("{\"a\":{\"b\":1}}"), HasSubstr("'a' is an object; expected"));
  EXPECT_THAT(
      error_of("{\"a\":[[1]]}"), HasSubstr("'a' is a list of more than"));
  EXPECT_THAT(error_of("{\"a\":[\"x\"]}"), HasSubstr("list of more than"));
  EXPECT_THAT(
      error_of("{\"a\":1}\n{\"a\":\"x\"}"),
      HasSubstr("f.json:2: 'a': [data.column] a cell of type string in a "
                "column of int64"));
  EXPECT_THAT(error_of("{\"a\":18446744073709551615}"), HasSubstr("64 bits"));
  EXPECT_THAT(error_of("{\"a\":[18446744073709551615]}"), HasSubstr("64 bits"));
}

TEST(JsonRecords, RefusesNestingWithoutEnd) {
  EXPECT_THAT(
      error_of("{\"a\":" + std::string(1'000'000, '[')),
      HasSubstr("nested too deeply"));
  EXPECT_THAT(
      error_of(std::string(1'000'000, '[')), HasSubstr("nested too deeply"));
}

TEST(JsonRecords, RefusesKeysThatComeAndGo) {
  EXPECT_THAT(
      error_of("{\"a\":1}\n{\"a\":1,\"b\":2}"),
      HasSubstr("f.json:2: the first record has no 'b'"));
  EXPECT_THAT(
      error_of("{\"a\":\"x\"}\n{}"), HasSubstr("'a' is missing or null"));
  EXPECT_THAT(
      error_of("{\"a\":null}\n{\"a\":\"x\"}"),
      HasSubstr("'a' is missing or null"));
  EXPECT_THAT(error_of("{\"a\":null}"), HasSubstr("nothing but null"));
}

TEST(JsonRecords, ReadsLinesAndArraysAlike) {
  const std::string one =
      R"({"z": 1, "t": "a\u00e9\n", "ok": true, "ids": [1, 2], "w": [1, 0.5]})";
  const std::string two =
      R"({"t": "", "z": 2.5, "ok": false, "ids": [], "w": []})";
  for (const Table& table :
       {parsed(one + "\r\n\n" + two + "\n"),
        parsed("\n[" + one + ",\n" + two + "]")}) {
    EXPECT_THAT(table.column_names(), ElementsAre("z", "t", "ok", "ids", "w"));
    EXPECT_THAT(table.column("z").double_values(), ElementsAre(1, 2.5));
    EXPECT_EQ(table.column("t").string_at(0), "a\xc3\xa9\n");
    EXPECT_THAT(table.column("ok").int64_values(), ElementsAre(1, 0));
    EXPECT_THAT(
        table.column("ids").int64_list_at(0).to_vector(), ElementsAre(1, 2));
    EXPECT_THAT(table.column("w").double_list_at(0), ElementsAre(1, 0.5));
    EXPECT_EQ(table.column("w").double_list_at(1).size(), 0U);
  }
}

TEST(JsonRecords, TurnsMissingNumbersIntoNan) {
  const Table table =
      parsed("{\"a\":null,\"b\":1}\n{\"a\":2}\n{\"a\":null,\"b\":3}");
  EXPECT_TRUE(std::isnan(table.column("a").double_at(0)));
  EXPECT_EQ(table.column("a").double_at(1), 2);
  EXPECT_TRUE(std::isnan(table.column("a").double_at(2)));
  EXPECT_TRUE(std::isnan(table.column("b").double_at(1)));
}

} // namespace
} // namespace accelerate::data
