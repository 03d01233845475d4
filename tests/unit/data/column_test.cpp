// tests/unit/data/column_test.cpp
#include "accelerate/data/column.h"

#include <limits>

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Ints = std::vector<std::int64_t>;

TEST(Column, RefusesTheWrongKindAndTheWrongRow) {
  const Column column = Column::of(Ints{1, 2});
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)column.string_at(0); }),
      HasSubstr("the column holds int64, read as string"));
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)column.int64_at(2); }),
      HasSubstr("row 2 of a column with 2 rows"));
  EXPECT_THROW((void)column.int64_at(-1), ConfigError);
  EXPECT_THROW((void)column.slice(1, 2), ConfigError);
  EXPECT_THROW(
      (void)column.slice(1, std::numeric_limits<std::int64_t>::max()),
      ConfigError);
}

TEST(Column, RefusesOffsetsThatDoNotFitTheValues) {
  const std::vector<std::int32_t> values{1, 2, 3};
  for (const Ints& offsets :
       {Ints{}, Ints{0, 2}, Ints{1, 3}, Ints{0, 4}, Ints{0, 2, 1, 3}}) {
    EXPECT_THROW((void)Column::of_lists(values, offsets), ConfigError);
  }
  EXPECT_THROW((void)Column::of_strings("abc", Ints{0, 2}), ConfigError);
}

TEST(Column, ReadsWhatWasPutIn) {
  EXPECT_EQ(Column().size(), 0);
  EXPECT_THAT(Column::of(Ints{4, 5}).int64_values(), ElementsAre(4, 5));
  EXPECT_EQ(Column::of(std::vector<double>{0.5}).double_at(0), 0.5);
  const Column text = Column::of(std::vector<std::string>{"a", "", "bc"});
  EXPECT_EQ(text.string_at(1), "");
  EXPECT_EQ(text.string_at(2), "bc");
  const Column lists =
      Column::of_lists(std::vector<std::int32_t>{7, 8, 9}, Ints{0, 0, 2, 3});
  EXPECT_EQ(lists.size(), 3);
  EXPECT_EQ(lists.int64_list_at(0).size(), 0U);
  EXPECT_THAT(lists.int64_list_at(1).to_vector(), ElementsAre(7, 8));
  const Column reals = Column::of(std::vector<std::vector<double>>{{}, {1.5}});
  EXPECT_THAT(reals.double_list_at(1), ElementsAre(1.5));
}

TEST(Column, KeepsValuesBeyond32Bits) {
  const std::int64_t big = std::int64_t{1} << 40;
  ColumnBuilder builder;
  builder.append(std::span<const std::int64_t>(Ints{1, -2}));
  builder.append(std::span<const std::int64_t>(Ints{big}));
  builder.append(std::vector<std::int32_t>{5});
  const Column column = builder.finish();
  EXPECT_THAT(column.int64_list_at(0).to_vector(), ElementsAre(1, -2));
  EXPECT_THAT(column.int64_list_at(1).to_vector(), ElementsAre(big));
  EXPECT_THAT(column.int64_list_at(2).to_vector(), ElementsAre(5));
  EXPECT_EQ(column.int64_list_at(1)[0], big);
}

TEST(Column, SlicesShareAndTakeCopies) {
  const Column column =
      Column::of(std::vector<std::string>{"a", "b", "c", "d"});
  const Column slice = column.slice(1, 3).slice(1, 2);
  EXPECT_EQ(slice.size(), 2);
  EXPECT_EQ(slice.string_at(0), "c");
  EXPECT_EQ(slice.string_at(0).data(), column.string_at(2).data());
  const Column taken = slice.take(Ints{1, 0, 1});
  EXPECT_EQ(taken.size(), 3);
  EXPECT_EQ(taken.string_at(0), "d");
  EXPECT_EQ(taken.string_at(1), "c");
  EXPECT_TRUE(column.slice(4, 0).size() == 0);
  EXPECT_THAT(
      Column::of(Ints{1, 2, 3}).slice(1, 2).int64_values(), ElementsAre(2, 3));
}

TEST(Column, ConcatenatesEveryKind) {
  const std::vector<Column> lists{
      Column::of(std::vector<Ints>{{1, 2}}).slice(0, 1),
      Column::of(std::vector<Ints>{{}, {3}})};
  const Column joined = Column::concat(lists);
  EXPECT_EQ(joined.size(), 3);
  EXPECT_THAT(joined.int64_list_at(2).to_vector(), ElementsAre(3));
  const std::vector<Column> mixed{
      Column::of(Ints{1}), Column::of(std::vector<double>{0.5})};
  EXPECT_THAT(Column::concat(mixed).double_values(), ElementsAre(1.0, 0.5));
  const std::vector<Column> wrong{
      Column::of(Ints{1}), Column::of(std::vector<std::string>{"x"})};
  EXPECT_THROW((void)Column::concat(wrong), ConfigError);
}

TEST(ColumnBuilder, WidensIntegersToDoubles) {
  ColumnBuilder builder;
  builder.append(std::int64_t{1});
  builder.append(0.5);
  builder.append(std::int64_t{2});
  EXPECT_EQ(builder.size(), 3);
  EXPECT_THAT(builder.finish().double_values(), ElementsAre(1.0, 0.5, 2.0));
  EXPECT_EQ(builder.size(), 0); // finish() starts anew

  builder.append(std::span<const std::int64_t>(Ints{1}));
  builder.append(std::span<const double>(std::vector<double>{0.5, 2}));
  builder.append(std::span<const std::int64_t>(Ints{3}));
  const Column lists = builder.finish();
  EXPECT_THAT(lists.double_list_at(0), ElementsAre(1.0));
  EXPECT_THAT(lists.double_list_at(1), ElementsAre(0.5, 2.0));
  EXPECT_THAT(lists.double_list_at(2), ElementsAre(3.0));
}

TEST(ColumnBuilder, RefusesMixedKindsAndTensors) {
  ColumnBuilder builder;
  builder.append(Value("text"));
  EXPECT_THAT(
      message_of<ConfigError>([&] { builder.append(Value(1)); }),
      HasSubstr("a cell of type int64 in a column of string"));
  EXPECT_THROW(builder.append(Value(at::Tensor())), ConfigError);
}

} // namespace
} // namespace accelerate
