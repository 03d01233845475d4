// accelerate/text/column_encoder.h: a tokenizer as a transform of datasets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "accelerate/api.h"
#include "accelerate/data/table.h"
#include "accelerate/text/tokenizer.h"

namespace accelerate {

struct EncoderOptions {
  /// The column of text.
  std::string column = "text";
  /// The column of second texts; empty: there is none.
  std::string pair_column = {};
  /// These mean what they mean in EncodeOptions. Padding is left to collate.
  bool add_special_tokens = true;
  bool truncation = false;
  TruncationStrategy truncation_strategy = TruncationStrategy::kLongestFirst;
  std::optional<std::int64_t> max_length = std::nullopt;
};

/// Adds the columns `input_ids`, `token_type_ids` and `attention_mask` (lists
/// of int64, one length per row) to a table and drops none:
/// `dataset.map(tokenizer.encoder({.column = "text", .truncation = true}))`.
/// Thread-safety: safe; map calls it on several threads.
class ACCELERATE_API ColumnEncoder {
 public:
  /// @throws ConfigError for options out of range, or truncation without any
  ///   known limit.
  ColumnEncoder(Tokenizer tokenizer, EncoderOptions options);

  /// @throws ConfigError when a column is missing or is no text.
  [[nodiscard]] Table operator()(const Table& table) const;

 private:
  Tokenizer tokenizer_;
  EncoderOptions options_;
};

} // namespace accelerate
