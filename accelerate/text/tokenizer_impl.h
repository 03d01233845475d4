// accelerate/text/tokenizer_impl.h: what the handles of a tokenizer share.
#pragma once

#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "accelerate/text/segment_encoder_impl.h"
#include "accelerate/text/tokenizer.h"
#include "accelerate/text/tokenizer_definition_impl.h"

namespace accelerate {

struct Tokenizer::Impl {
  explicit Impl(text::TokenizerDefinition read);

  /// Working memory of one thread, so that samples cost no allocation.
  struct Scratch {
    std::vector<text::TokenId> first;
    std::vector<text::TokenId> second;
    text::TokenRow row;
  };
  /// A sample to encode; no second text for a single one.
  struct Sample {
    std::string_view first;
    std::optional<std::string_view> second;
  };

  /// Appends the encoded and truncated sample to scratch.row, unpadded.
  void encode(
      const Sample& sample,
      const EncodeOptions& options,
      Scratch& scratch) const;
  /// The length samples are cut to; nothing when they are not cut.
  /// @throws ConfigError when they should be, but no length is known.
  [[nodiscard]] std::optional<std::int64_t> length_limit(
      const EncodeOptions& options) const;
  /// Length after padding of samples of which the longest has `longest` tokens.
  [[nodiscard]] std::int64_t padded_length(
      std::int64_t longest,
      const EncodeOptions& options) const;
  [[nodiscard]] std::int64_t require_id(
      const std::string& token,
      std::string_view role) const;

  text::TokenizerDefinition definition;
  text::SegmentEncoder encoder;
  std::unordered_map<std::string, text::TokenId> added_ids;
  std::unordered_map<text::TokenId, std::string> tokens; // [id]
  std::unordered_set<text::TokenId> special_ids;

 private:
  void truncate(
      const Sample& sample,
      const EncodeOptions& options,
      Scratch& scratch) const;
};

} // namespace accelerate
