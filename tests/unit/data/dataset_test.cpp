// tests/unit/data/dataset_test.cpp
#include "accelerate/data/dataset.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <set>

#include "accelerate/data/dataset_dict.h"
#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

/// `count` rows whose "id" is the row number.
Dataset numbers(std::int64_t count) {
  Ints ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  return Dataset(Table({{"id", Column::of(ids)}}));
}

Ints ids_of(const Dataset& dataset) {
  Ints ids;
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    ids.push_back(dataset[i].get<std::int64_t>("id"));
  }
  return ids;
}

TEST(Dataset, RefusesAnIndexOutOfRange) {
  EXPECT_THAT(
      message_of<ConfigError>([] { (void)numbers(3).get(3); }),
      HasSubstr("index 3 of a dataset with 3 rows"));
  EXPECT_THROW((void)numbers(3).get(-1), ConfigError);
  EXPECT_THROW((void)Dataset().get(0), ConfigError);
  EXPECT_THROW((void)numbers(3).select({0, 3}), ConfigError);
}

TEST(Dataset, SelectsWithinSelections) {
  const Dataset dataset = numbers(10).slice(2, 8).select({5, 0, 0});
  EXPECT_THAT(ids_of(dataset), ElementsAre(7, 2, 2));
  EXPECT_THAT(ids_of(dataset.slice(1, 3)), ElementsAre(2, 2));
  EXPECT_THAT(ids_of(numbers(10).slice(-3, 10)), ElementsAre(7, 8, 9));
  EXPECT_EQ(numbers(10).slice(5, 3).size(), 0);
  EXPECT_EQ(numbers(10).slice(5, 99).size(), 5);
}

TEST(Dataset, ShufflesByTheSeedAlone) {
  const Ints order = ids_of(numbers(100).shuffle(7));
  EXPECT_EQ(order, ids_of(numbers(100).shuffle(7)));
  EXPECT_NE(order, ids_of(numbers(100).shuffle(8)));
  EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(), 100U);
}

TEST(Dataset, FiltersOnThreadsInOrder) {
  const Dataset even = numbers(2500).filter(
      [](const Example& row) { return row.get<std::int64_t>("id") % 2 == 0; },
      {.batch_size = 7, .num_threads = 3});
  ASSERT_EQ(even.size(), 1250);
  EXPECT_EQ(even[1249].get<std::int64_t>("id"), 2498);
}

TEST(Dataset, MapsRowsOnThreadsInOrder) {
  const Dataset mapped = numbers(1000).shuffle(1).map(
      [](const Example& row) {
        const auto id = row.get<std::int64_t>("id");
        return Example{{"square", id * id}};
      },
      {.batch_size = 10, .num_threads = 4});
  EXPECT_THAT(mapped.column_names(), ElementsAre("id", "square"));
  const Ints expected = ids_of(numbers(1000).shuffle(1));
  EXPECT_EQ(ids_of(mapped), expected);
  EXPECT_EQ(
      mapped[999].get<std::int64_t>("square"), expected[999] * expected[999]);
}

TEST(Dataset, MapsTablesInChunksInOrder) {
  std::atomic<int> calls = 0;
  const auto twice = [&](const Table& rows) {
    ++calls;
    Ints doubled;
    for (std::int64_t i = 0; i < rows.num_rows(); ++i) {
      doubled.push_back(2 * rows.column("id").int64_at(i));
    }
    return Table({{"twice", Column::of(doubled)}});
  };
  const Dataset mapped = numbers(25).map(
      twice, {.remove_columns = {"id"}, .batch_size = 10, .num_threads = 2});
  EXPECT_EQ(calls, 3);
  EXPECT_THAT(mapped.column_names(), ElementsAre("twice"));
  EXPECT_EQ(mapped[24].get<std::int64_t>("twice"), 48);
}

TEST(Dataset, MapOfNoRowsKnowsItsColumns) {
  const Dataset mapped = numbers(0).map([](const Table& rows) {
    return Table(
        {{"more",
          Column::of(Ints(static_cast<std::size_t>(rows.num_rows())))}});
  });
  EXPECT_EQ(mapped.size(), 0);
  EXPECT_THAT(mapped.column_names(), ElementsAre("id", "more"));
}

TEST(Dataset, NamesTheFirstRowWhereATransformThrew) {
  const auto fail = [](const Example& row) -> Example {
    if (row.get<std::int64_t>("id") >= 40) {
      throw std::runtime_error("broken sample");
    }
    return {};
  };
  const MapOptions options{.batch_size = 8, .num_threads = 3};
  for (int repeat = 0; repeat < 20; ++repeat) {
    EXPECT_THAT(
        message_of<ConfigError>([&] { (void)numbers(90).map(fail, options); }),
        HasSubstr("[data.map] row 40: broken sample"));
  }
  EXPECT_THAT(
      message_of<ConfigError>([&] {
        (void)numbers(9).filter(
            [](const Example& row) { return row.get<double>("id") > 0; });
      }),
      HasSubstr("[data.filter] row 0: "));
}

TEST(Dataset, RefusesATableOfAnotherLengthAndBadOptions) {
  const auto shorter = [](const Table& rows) { return rows.slice(0, 1); };
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)numbers(5).map(shorter); }),
      HasSubstr("the transform returned 1 rows for 5"));
  const auto same = [](const Table& rows) { return rows; };
  EXPECT_THROW((void)numbers(5).map(same, {.batch_size = 0}), ConfigError);
  EXPECT_THROW((void)numbers(5).map(same, {.num_threads = -1}), ConfigError);
  EXPECT_THROW(
      (void)numbers(5).map(same, {.remove_columns = {"x"}}), ConfigError);
}

TEST(Dataset, SplitsForTrainingAndTest) {
  const DatasetDict splits =
      numbers(11).train_test_split({.test_size = 0.2, .seed = 3});
  EXPECT_EQ(splits["test"].size(), 3); // 2.2, rounded up
  EXPECT_EQ(splits["train"].size(), 8);
  Ints all = ids_of(splits["train"]);
  const Ints test = ids_of(splits["test"]);
  all.insert(all.end(), test.begin(), test.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, ids_of(numbers(11)));

  const DatasetDict in_order =
      numbers(5).train_test_split({.test_size = 2, .shuffle = false});
  EXPECT_THAT(ids_of(in_order["train"]), ElementsAre(0, 1, 2));
  EXPECT_THAT(ids_of(in_order["test"]), ElementsAre(3, 4));
  for (const double bad : {0.0, -1.0, 5.0, 2.5, 0.99}) {
    EXPECT_THROW(
        (void)numbers(5).train_test_split({.test_size = bad}), ConfigError)
        << bad;
  }
}

TEST(Dataset, RenamesAndRemovesColumns) {
  const Dataset renamed = numbers(3).slice(1, 3).rename_column("id", "key");
  EXPECT_EQ(renamed[0].get<std::int64_t>("key"), 1);
  EXPECT_THAT(renamed.remove_columns({"key"}).column_names(), ElementsAre());
  EXPECT_EQ(renamed.table().num_rows(), 2);
}

} // namespace
} // namespace accelerate
