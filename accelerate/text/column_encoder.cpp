// accelerate/text/column_encoder.cpp: rows of text to rows of ids.
#include "accelerate/text/column_encoder.h"

#include <utility>
#include <vector>

#include "accelerate/text/tokenizer_impl.h"

namespace accelerate {
namespace {

EncodeOptions to_encode_options(const EncoderOptions& options) {
  return {
      .add_special_tokens = options.add_special_tokens,
      .truncation = options.truncation,
      .truncation_strategy = options.truncation_strategy,
      .max_length = options.max_length};
}

/// Ids to expect, so that the lists seldom move: English has four to five bytes
/// a token.
std::size_t estimate_ids(const Column& texts) {
  std::size_t ids = 0;
  for (std::int64_t row = 0; row < texts.size(); ++row) {
    ids += 3 + texts.string_at(row).size() / 4;
  }
  return ids;
}

} // namespace

ColumnEncoder::ColumnEncoder(Tokenizer tokenizer, EncoderOptions options)
    : tokenizer_(std::move(tokenizer)), options_(std::move(options)) {
  const EncodeOptions encode_options = to_encode_options(options_);
  encode_options.validate();
  static_cast<void>(tokenizer_.impl_->length_limit(encode_options));
}

Table ColumnEncoder::operator()(const Table& table) const {
  const Column& first = table.column(options_.column);
  const Column* second = options_.pair_column.empty()
      ? nullptr
      : &table.column(options_.pair_column);
  const EncodeOptions encode_options = to_encode_options(options_);
  Tokenizer::Impl::Scratch scratch; // its row collects all rows
  scratch.row.ids.reserve(estimate_ids(first));
  scratch.row.type_ids.reserve(estimate_ids(first));
  std::vector<std::int64_t> offsets{0};
  offsets.reserve(static_cast<std::size_t>(table.num_rows()) + 1);
  for (std::int64_t row = 0; row < table.num_rows(); ++row) {
    Tokenizer::Impl::Sample sample{first.string_at(row), std::nullopt};
    if (second != nullptr) {
      sample.second = second->string_at(row);
    }
    tokenizer_.impl_->encode(sample, encode_options, scratch);
    offsets.push_back(static_cast<std::int64_t>(scratch.row.ids.size()));
  }
  std::vector<std::int32_t> mask(scratch.row.ids.size(), 1);
  return table
      .with_column(
          "input_ids", Column::of_lists(std::move(scratch.row.ids), offsets))
      .with_column(
          "token_type_ids",
          Column::of_lists(std::move(scratch.row.type_ids), offsets))
      .with_column(
          "attention_mask",
          Column::of_lists(std::move(mask), std::move(offsets)));
}

} // namespace accelerate
