// accelerate/text/token_template_impl.h: which tokens go around a text or a
// pair, and how much is cut so that they fit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "accelerate/text/word_pieces_impl.h"

namespace accelerate::text {

/// A part of a template: one of the texts, or fixed tokens.
struct TemplatePart {
  enum class Kind { kFirst, kSecond, kTokens };
  Kind kind = Kind::kFirst;
  std::int32_t type_id = 0;
  std::vector<TokenId> tokens = {}; ///< of kTokens
};

struct TokenTemplate {
  std::vector<TemplatePart> parts;

  [[nodiscard]] static TokenTemplate plain_single();
  [[nodiscard]] static TokenTemplate plain_pair();
  /// How many fixed tokens it adds.
  [[nodiscard]] std::int64_t num_added() const;
};

/// Ids and types of one encoded sample.
struct TokenRow {
  std::vector<TokenId> ids;
  std::vector<std::int32_t> type_ids;
};

enum class FixedTokens { kKeep, kLeaveOut };

/// Appends the texts with the template around them to `row`.
void apply_template(
    const TokenTemplate& token_template,
    FixedTokens fixed_tokens,
    std::span<const TokenId> first,
    std::span<const TokenId> second,
    TokenRow& row);

struct PairLengths {
  std::int64_t first = 0;
  std::int64_t second = 0;
};

/// How much of two texts is kept when together they may have `max_length` ids
/// and the longer one gives first.
/// Source: tokenizers truncate_encodings, LongestFirst.
[[nodiscard]] PairLengths longest_first(
    PairLengths lengths,
    std::int64_t max_length);

} // namespace accelerate::text
