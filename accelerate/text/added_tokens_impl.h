// accelerate/text/added_tokens_impl.h: tokens that are found in the text itself
// before words are made: [MASK] and the like.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "accelerate/text/word_pieces_impl.h"

namespace accelerate::text {

struct AddedToken {
  std::string content;
  TokenId id = 0;
  bool is_special = false; ///< left out by decode(skip_special_tokens)
  bool is_normalized = false; ///< looked for in the normalised text
  bool strips_left = false; ///< takes white space before it along
  bool strips_right = false; ///< takes white space behind it along
};

/// Finds the longest token at the leftmost place, again and again.
class AddedTokens {
 public:
  AddedTokens() = default;
  /// Tokens with empty content match nothing.
  explicit AddedTokens(std::vector<AddedToken> tokens);

  struct Match {
    std::size_t begin = 0, end = 0; ///< bytes, stripped white space included
    const AddedToken* token = nullptr; ///< null: no match
  };
  /// The first match at or behind `from`.
  [[nodiscard]] Match find(std::string_view text, std::size_t from) const;

  [[nodiscard]] bool empty() const {
    return tokens_.empty();
  }

 private:
  std::vector<AddedToken> tokens_; // longest first
  std::array<bool, 256> is_first_byte_{}; // [byte]
  char only_first_byte_ = '\0'; // of all tokens, when they share it
};

} // namespace accelerate::text
