// tests/unit/data/dataset_dict_test.cpp
#include "accelerate/data/dataset_dict.h"

#include <numeric>

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

Dataset numbers(std::int64_t count) {
  Ints ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  return Dataset(Table({{"id", Column::of(ids)}}));
}

DatasetDict splits() {
  return {{"train", numbers(7)}, {"test", numbers(3)}};
}

TEST(DatasetDict, ListsTheSplitsWhenOneIsMissing) {
  EXPECT_THAT(
      message_of<ConfigError>([] { (void)splits()["valid"]; }),
      HasSubstr("no split 'valid'; the splits are 'train', 'test'"));
  EXPECT_THAT(
      message_of<ConfigError>([] { (void)splits().select("valid[:3]"); }),
      HasSubstr("no split 'valid'"));
}

TEST(DatasetDict, BecomesADatasetOnlyWhenThereIsOneSplit) {
  const Dataset only = DatasetDict{{"train", numbers(7)}};
  EXPECT_EQ(only.size(), 7);
  EXPECT_THROW(static_cast<void>(Dataset(splits())), ConfigError);
}

TEST(DatasetDict, SelectsByExpression) {
  EXPECT_EQ(splits().select("train[:50%]").size(), 4); // 3.5, half to even
  EXPECT_EQ(splits().select("train[5:3]").size(), 0);
  const Dataset joined = splits().select("train[-2:] + test[:1]");
  ASSERT_EQ(joined.size(), 3);
  EXPECT_EQ(joined[0].get<std::int64_t>("id"), 5);
  EXPECT_EQ(joined[2].get<std::int64_t>("id"), 0);
}

TEST(DatasetDict, TransformsEverySplit) {
  const DatasetDict mapped = splits()
                                 .map([](const Example&) {
                                   return Example{{"one", 1}};
                                 })
                                 .filter([](const Example& row) {
                                   return row.get<std::int64_t>("id") > 0;
                                 })
                                 .rename_column("one", "label")
                                 .shuffle(3);
  EXPECT_THAT(mapped.split_names(), ElementsAre("train", "test"));
  EXPECT_EQ(mapped["train"].size(), 6);
  EXPECT_EQ(mapped["test"].size(), 2);
  EXPECT_THAT(mapped["test"].column_names(), ElementsAre("id", "label"));
  EXPECT_THAT(
      mapped.remove_columns({"id"})["train"].column_names(),
      ElementsAre("label"));
}

} // namespace
} // namespace accelerate
