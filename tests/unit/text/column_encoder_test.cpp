// tests/unit/text/column_encoder_test.cpp: tables of text to tables of ids.
#include "accelerate/text/column_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/data/dataset.h"
#include "accelerate/error.h"
#include "golden.h"

namespace accelerate {
namespace {

using ::testing::ElementsAre;

Tokenizer small() {
  return Tokenizer::from_json(text::read_golden("tokenizer.json"));
}

Table texts(const std::vector<std::string>& rows) {
  return Table({{"text", Column::of(rows)}});
}

std::vector<std::int64_t>
list(const Table& table, std::string_view column, std::int64_t row) {
  return table.column(column).int64_list_at(row).to_vector();
}

TEST(ColumnEncoder, RefusesWhatItCannotDo) {
  const auto tokenizer = small();
  const auto encoder = tokenizer.encoder({.column = "review"});
  EXPECT_THROW(static_cast<void>(encoder(texts({"a"}))), ConfigError);
  const auto number = tokenizer.encoder({.column = "n"});
  const Table numbers({{"n", Column::of(std::vector<std::int64_t>{1})}});
  EXPECT_THROW(static_cast<void>(number(numbers)), ConfigError);
  EXPECT_THROW(
      static_cast<void>(tokenizer.encoder({.truncation = true})), ConfigError);
  EXPECT_THROW(
      static_cast<void>(tokenizer.encoder({.max_length = 0})), ConfigError);
}

TEST(ColumnEncoder, AddsThreeColumnsAndDropsNone) {
  const Table encoded = small().encoder({})(texts({"the movie", "", "movies"}));
  EXPECT_THAT(
      encoded.column_names(),
      ElementsAre("text", "input_ids", "token_type_ids", "attention_mask"));
  EXPECT_THAT(list(encoded, "input_ids", 0), ElementsAre(2, 5, 6, 3));
  EXPECT_THAT(list(encoded, "input_ids", 1), ElementsAre(2, 3));
  EXPECT_THAT(list(encoded, "token_type_ids", 0), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(list(encoded, "attention_mask", 2), ElementsAre(1, 1, 1, 1));
  EXPECT_EQ(small().encoder({})(texts({})).num_rows(), 0);
}

TEST(ColumnEncoder, EncodesPairsAndTruncates) {
  const Table table(
      {{"question", Column::of(std::vector<std::string>{"the"})},
       {"context", Column::of(std::vector<std::string>{"movie is great"})}});
  const Table encoded = small().encoder(
      {.column = "question",
       .pair_column = "context",
       .truncation = true,
       .max_length = 6})(table);
  EXPECT_THAT(list(encoded, "input_ids", 0), ElementsAre(2, 5, 3, 6, 7, 3));
  EXPECT_THAT(
      list(encoded, "token_type_ids", 0), ElementsAre(0, 0, 0, 1, 1, 1));
}

TEST(ColumnEncoder, IsATransformOfDatasets) {
  std::vector<std::string> rows;
  for (int i = 0; i < 300; ++i) {
    rows.push_back(i % 2 == 0 ? "the movie" : "great");
  }
  const Dataset encoded = Dataset(texts(rows))
                              .map(
                                  small().encoder({.column = "text"}),
                                  {.batch_size = 7, .num_threads = 3});
  ASSERT_EQ(encoded.size(), 300);
  EXPECT_THAT(
      encoded.get(299).get<std::vector<std::int64_t>>("input_ids"),
      ElementsAre(2, 8, 3));
}

} // namespace
} // namespace accelerate
