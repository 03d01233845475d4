// accelerate/text/bert_normalizer_impl.h: what BERT does to characters before
// words are looked up: clean, set Chinese apart, strip accents, lower case.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace accelerate::text {

struct NormalizerOptions {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  /// Unset: follows lowercase.
  std::optional<bool> strip_accents = std::nullopt;
  bool lowercase = true;
};

/// What becomes of one character, normalised and pre-tokenised.
enum class CharKind : std::uint8_t {
  kWord, ///< part of a word
  kDropped, ///< leaves no trace
  kSpace, ///< ends a word
  kPunctuation, ///< ends a word and is one; Chinese too
  kSeveral, ///< becomes several characters
  kContext, ///< depends on its neighbours: normalise the text as a whole
};

/// White space and punctuation as BertPreTokenizer has them.
[[nodiscard]] bool is_white_space(char32_t c);
[[nodiscard]] bool is_punctuation(char32_t c);

/// Two ways to one result: normalize() follows the four steps literally, and a
/// table made from it at construction answers for almost every character alone.
/// Only canonical sorting of combining characters needs neighbours.
/// Source: tokenizers BertNormalizer and BertPreTokenizer.
class BertNormalizer {
 public:
  explicit BertNormalizer(const NormalizerOptions& options);

  /// The text after all four steps.
  [[nodiscard]] std::u32string normalize(std::u32string_view text) const;

  struct Fate {
    CharKind kind;
    /// kWord, kPunctuation: what the character becomes. kSeveral: see
    /// several().
    char32_t value;
  };
  /// @param c a code point
  [[nodiscard]] Fate fate(char32_t c) const {
    if (c >= kTableEnd) [[unlikely]] {
      return {CharKind::kContext, c};
    }
    const std::uint32_t entry =
        entries_[pages_[c / kPageChars] * kPageChars + c % kPageChars];
    const char32_t value = entry & kValueMask;
    return {static_cast<CharKind>(entry >> kKindShift), value ? value : c};
  }
  /// The characters that a kSeveral character becomes.
  [[nodiscard]] std::u32string_view several(char32_t value) const {
    return std::u32string_view(several_).substr(value + 1, several_[value]);
  }
  [[nodiscard]] bool lowercase() const {
    return options_.lowercase;
  }

 private:
  // The table covers planes 0 to 2; beyond them are only private use, tags and
  // rare ideographs, which take the way of whole texts.
  static constexpr char32_t kTableEnd = 0x30000;
  static constexpr char32_t kPageChars = 256;
  static constexpr int kKindShift = 24;
  static constexpr std::uint32_t kValueMask = (1u << kKindShift) - 1;

  void strip(std::u32string& text) const;
  void fill_table();
  void fill(char32_t first, char32_t last);
  [[nodiscard]] std::uint32_t make_entry(char32_t c);

  NormalizerOptions options_;
  std::array<std::uint32_t, kTableEnd / kPageChars> pages_{}; // [page]
  /// Page 0 is shared by all pages of plain word characters.
  std::vector<std::uint32_t> entries_;
  /// Length, characters, length, characters, …; the first place is not used,
  /// because value 0 stands for the character itself.
  std::u32string several_ = std::u32string(1, U'\0');
};

} // namespace accelerate::text
