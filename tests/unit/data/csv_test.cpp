// tests/unit/data/csv_test.cpp
#include "accelerate/data/csv_impl.h"

#include <cmath>

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Texts = std::vector<std::string>;

Table parsed(std::string text, const CsvOptions& options = {}) {
  return parse_csv(checked_text("f.csv", std::move(text)), options);
}

Table typed(std::string text) {
  return infer_types(parsed(std::move(text)));
}

Texts texts(const Column& column) {
  Texts cells;
  for (std::int64_t row = 0; row < column.size(); ++row) {
    cells.emplace_back(column.string_at(row));
  }
  return cells;
}

TEST(Csv, NamesFileAndLineOfMalformedRecords) {
  const auto error_of = [](const char* text) {
    return message_of<ConfigError>([&] { (void)parsed(text); });
  };
  EXPECT_THAT(
      error_of("a,b\n1,2\n3\n"), HasSubstr("f.csv:3: 1 fields, expected 2"));
  EXPECT_THAT(error_of("a,b\n1,2,3\n"), HasSubstr("f.csv:2: 3 fields"));
  EXPECT_THAT(
      error_of("a\n\"x\ny\"\n\"z\n\n"),
      HasSubstr("f.csv:4: the quote that opens here is never closed"));
  EXPECT_THAT(
      error_of("a,b\n\"x\"y,2\n"),
      HasSubstr("f.csv:2: text after the closing quote"));
  EXPECT_THAT(
      error_of("a,b\n1\r2,3\n"),
      HasSubstr("f.csv:2: a carriage return without a line feed"));
  EXPECT_THAT(error_of("a,a\n"), HasSubstr("two columns are called 'a'"));
  EXPECT_THAT(error_of("\n\r\n"), HasSubstr("holds only empty lines"));
}

TEST(Csv, RefusesADelimiterThatCannotBeOne) {
  for (const char bad : {'"', '\n', '\r', '\0', '\xe9'}) {
    EXPECT_THROW((void)parsed("a", {.delimiter = bad}), ConfigError);
  }
}

TEST(Csv, KeepsColumnsOfAFileWithNothingButAHeader) {
  const Table table = typed("text,label");
  EXPECT_EQ(table.num_rows(), 0);
  EXPECT_THAT(table.column_names(), ElementsAre("text", "label"));
}

TEST(Csv, ReadsQuotesLineEndsAndEmptyFields) {
  const Table table = parsed(
      "a,b\r\n"
      "\"x,\"\"y\"\"\r\nz\",\r\n"
      "\r\n"
      "5\" pipe,\"\"\n"
      ",last");
  EXPECT_THAT(
      texts(table.column("a")), ElementsAre("x,\"y\"\r\nz", "5\" pipe", ""));
  EXPECT_THAT(texts(table.column("b")), ElementsAre("", "", "last"));
}

TEST(Csv, KeepsAQuotedEmptyRowOfOneColumn) {
  EXPECT_THAT(
      texts(parsed("a\n\"\"\n\nx\n").column("a")), ElementsAre("", "x"));
}

TEST(Csv, TakesOtherDelimitersAndNames) {
  const Table table =
      parsed("1\tx,y\n2\tz\n", {.delimiter = '\t', .column_names = {"n", "t"}});
  EXPECT_THAT(texts(table.column("t")), ElementsAre("x,y", "z"));
  EXPECT_THAT(
      parsed(",a\n0,x\n").column_names(), ElementsAre("Unnamed: 0", "a"));
}

TEST(Csv, SurvivesAGiganticField) {
  const std::string big(10'000'000, 'x');
  const Table table = parsed("a,b\n\"" + big + "\"," + big + "\n");
  EXPECT_EQ(table.column("a").string_at(0).size(), big.size());
  EXPECT_EQ(table.column("b").string_at(0).size(), big.size());
}

TEST(Csv, DecidesTypesByTheWholeColumn) {
  const Table table = typed(
      "i,d,s,e,n,big,id\n"
      "1,1,1,,1,9223372036854775807,99999999999999999999\n"
      "-2, 2.5e1 ,x,,,-9223372036854775808,1\n"
      "+3,.5,3,,3,0,2\n");
  EXPECT_THAT(table.column("i").int64_values(), ElementsAre(1, -2, 3));
  EXPECT_THAT(table.column("d").double_values(), ElementsAre(1, 25, 0.5));
  EXPECT_EQ(table.column("s").kind(), ColumnKind::kString);
  EXPECT_EQ(table.column("e").kind(), ColumnKind::kString);
  EXPECT_TRUE(std::isnan(table.column("n").double_at(1)));
  EXPECT_EQ(table.column("n").double_at(2), 3);
  EXPECT_EQ(table.column("big").int64_at(0), INT64_MAX);
  EXPECT_EQ(table.column("id").string_at(0), "99999999999999999999");
}

TEST(Csv, LeavesWordsThatLookLikeNumbersAlone) {
  const Table table = typed("a,b,c,d\nnan,0x10,1.5.2,1-2\ninf,7,2,3\n");
  for (const char* name : {"a", "b", "c", "d"}) {
    EXPECT_EQ(table.column(name).kind(), ColumnKind::kString) << name;
  }
}

} // namespace
} // namespace accelerate::data
