// tests/unit/text/pad_to_longest_test.cpp: fill values per column.
#include "accelerate/text/pad_to_longest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"
#include "accelerate/text/column_encoder.h"

namespace accelerate {
namespace {

using ::testing::ElementsAre;

// The padding token is no 0 here, so that the fill shows.
constexpr std::string_view kLines = "[UNK]\n[CLS]\n[SEP]\na\nb\n[PAD]\n";

std::vector<std::int64_t> values(const at::Tensor& tensor) {
  const auto* data = tensor.const_data_ptr<std::int64_t>();
  return {data, data + tensor.numel()};
}

TEST(PadToLongest, NeedsAPaddingTokenAndTheRightSide) {
  EXPECT_THROW(
      static_cast<void>(
          pad_to_longest(Tokenizer::from_vocabulary("[UNK]\n[CLS]\n[SEP]\n"))),
      ConfigError);
  EXPECT_THROW(
      static_cast<void>(pad_to_longest(
          Tokenizer::from_vocabulary(kLines, R"({"padding_side": "left"})"))),
      ConfigError);
}

TEST(PadToLongest, FillsIdsWithThePaddingTokenAndMasksWithZero) {
  const auto tokenizer = Tokenizer::from_vocabulary(kLines);
  const Table table = tokenizer.encoder({})(Table(
      {{"text", Column::of(std::vector<std::string>{"a", "a b"})},
       {"label", Column::of(std::vector<std::int64_t>{1, 0})}}));
  const std::vector<std::int64_t> rows{0, 1};
  const Batch batch = pad_to_longest(tokenizer)(table, rows);
  EXPECT_THAT(
      values(batch.at("input_ids")), ElementsAre(1, 3, 2, 5, 1, 3, 4, 2));
  EXPECT_THAT(
      values(batch.at("attention_mask")), ElementsAre(1, 1, 1, 0, 1, 1, 1, 1));
  EXPECT_THAT(values(batch.at("labels")), ElementsAre(1, 0));
  const Batch wide =
      pad_to_longest(tokenizer, {.pad_to_multiple_of = 8})(table, rows);
  EXPECT_EQ(wide.at("input_ids").size(1), 8);
}

} // namespace
} // namespace accelerate
