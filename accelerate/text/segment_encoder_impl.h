// accelerate/text/segment_encoder_impl.h: from text to ids, without the tokens
// that a template adds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "accelerate/text/added_tokens_impl.h"
#include "accelerate/text/bert_normalizer_impl.h"
#include "accelerate/text/word_pieces_impl.h"

namespace accelerate::text {

/// Added tokens, normaliser, pre-tokeniser and WordPiece in one pass over the
/// bytes. Three speeds, each falling back to the next:
///   a word of ASCII letters and digits is measured, lower-cased and looked up
///   in two 64-bit registers;
///   any other character goes through the normaliser's table into a word
///   buffer;
///   a text with combining characters that need sorting, or with added tokens
///   that are matched after normalisation, is normalised as a whole first.
/// Thread-safety: const and stateless; share it between threads.
class SegmentEncoder {
 public:
  SegmentEncoder(
      const Vocabulary& vocabulary,
      const WordPieceOptions& word_pieces,
      const NormalizerOptions& normalizer,
      const std::vector<AddedToken>& added_tokens);

  /// Appends the ids of `text`; invalid UTF-8 counts as U+FFFD.
  void encode(std::string_view text, std::vector<TokenId>& ids) const;

 private:
  class WordBuffer;

  void encode_segment(std::string_view text, std::vector<TokenId>& ids) const;
  [[nodiscard]] bool encode_by_table(
      std::string_view text,
      std::vector<TokenId>& ids) const;
  void encode_as_a_whole(std::string_view text, std::vector<TokenId>& ids)
      const;
  void encode_normalized(std::u32string_view text, std::vector<TokenId>& ids)
      const;
  /// Consumes the words of plain ASCII at `at`, a word boundary; returns where
  /// something else begins.
  const char* encode_ascii_words(
      const char* at,
      const char* end,
      std::vector<TokenId>& ids) const;
  /// The same for all but the last 16 bytes, so that loads may read ahead.
  const char* encode_padded_words(
      const char* at,
      const char* end,
      std::vector<TokenId>& ids) const;

  BertNormalizer normalizer_;
  WordPieces word_pieces_;
  AddedTokens raw_tokens_;
  AddedTokens normalized_tokens_; ///< their content normalised too
  CharKind ascii_kind_[128]; // [byte]
  std::uint64_t case_bits_; ///< or-ed to letters to lower-case eight of them
};

} // namespace accelerate::text
