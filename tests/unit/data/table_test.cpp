// tests/unit/data/table_test.cpp
#include "accelerate/data/table.h"

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Ints = std::vector<std::int64_t>;
using Texts = std::vector<std::string>;

Table letters() {
  return Table(
      {{"text", Column::of(Texts{"a", "b", "c"})},
       {"label", Column::of(Ints{0, 1, 0})}});
}

TEST(Table, RefusesColumnsOfDifferentLengthAndTheSameName) {
  EXPECT_THAT(
      message_of<ConfigError>([] {
        Table({{"a", Column::of(Ints{1})}, {"b", Column::of(Ints{1, 2})}});
      }),
      HasSubstr("column 'b' has 2 rows, column 'a' has 1"));
  EXPECT_THAT(
      message_of<ConfigError>([] {
        Table({{"a", Column::of(Ints{1})}, {"a", Column::of(Ints{2})}});
      }),
      HasSubstr("two columns are called 'a'"));
}

TEST(Table, NamesItsColumnsWhenOneIsMissing) {
  EXPECT_THAT(
      message_of<ConfigError>([] { (void)letters().column("labels"); }),
      HasSubstr("no column 'labels'; the columns are 'text', 'label'"));
  EXPECT_THROW((void)letters().without_columns(Texts{"x"}), ConfigError);
  EXPECT_THROW((void)letters().renamed("x", "y"), ConfigError);
  EXPECT_THROW((void)letters().renamed("text", "label"), ConfigError);
}

TEST(Table, NamesTheExampleThatDoesNotFit) {
  const std::vector<Example> missing{{{"a", 1}}, {{"b", 1}}};
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)Table::from_examples(missing); }),
      HasSubstr("example 1 has no column 'a'"));
  const std::vector<Example> mixed{{{"a", 1}}, {{"a", "x"}}};
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)Table::from_examples(mixed); }),
      HasSubstr("example 1, column 'a'"));
  const std::vector<Example> more{{{"a", 1}}, {{"a", 1}, {"b", 2}}};
  EXPECT_THROW((void)Table::from_examples(more), ConfigError);
}

TEST(Table, IsEmptyWithoutExamplesOrColumns) {
  EXPECT_EQ(Table().num_rows(), 0);
  EXPECT_EQ(Table::from_examples({}).num_columns(), 0);
  EXPECT_EQ(Table::concat({}).num_rows(), 0);
}

TEST(Table, RowsSurviveTheRoundTripThroughExamples) {
  const Table table = letters();
  std::vector<Example> rows;
  for (std::int64_t i = 0; i < table.num_rows(); ++i) {
    rows.push_back(table.row(i));
  }
  const Table again = Table::from_examples(rows);
  EXPECT_EQ(again.column_names(), table.column_names());
  EXPECT_EQ(again.column("text").string_at(2), "c");
  EXPECT_THAT(again.column("label").int64_values(), ElementsAre(0, 1, 0));
}

TEST(Table, ReplacesInPlaceAddsAtTheEndAndLeavesTheOriginalAlone) {
  const Table table = letters();
  const Table changed = table.with_column("text", Column::of(Ints{7, 8, 9}))
                            .with_column("extra", Column::of(Ints{1, 2, 3}));
  EXPECT_THAT(changed.column_names(), ElementsAre("text", "label", "extra"));
  EXPECT_EQ(changed.column("text").int64_at(0), 7);
  EXPECT_EQ(table.column("text").string_at(0), "a");
  EXPECT_THAT(
      table.renamed("label", "labels").column_names(),
      ElementsAre("text", "labels"));
  EXPECT_THAT(
      table.without_columns(Texts{"text"}).column_names(),
      ElementsAre("label"));
}

TEST(Table, SlicesTakesAndJoins) {
  const Table table = letters();
  const std::vector<Table> parts{table.slice(2, 1), table.take(Ints{1, 1})};
  const Table joined = Table::concat(parts);
  EXPECT_EQ(joined.num_rows(), 3);
  EXPECT_EQ(joined.column("text").string_at(0), "c");
  EXPECT_EQ(joined.column("text").string_at(2), "b");
  const std::vector<Table> wrong{table, table.renamed("label", "labels")};
  EXPECT_THROW((void)Table::concat(wrong), ConfigError);
}

} // namespace
} // namespace accelerate
