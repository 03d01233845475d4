// tests/unit/text/bert_normalizer_test.cpp: the table against the steps it was
// made from. The steps against the tokenizers package:
// segment_encoder_test.cpp.
#include "accelerate/text/bert_normalizer_impl.h"

#include <gtest/gtest.h>

namespace accelerate::text {
namespace {

/// What the table says about one character, as a text; no answer for kContext.
std::optional<std::u32string> by_table(const BertNormalizer& bert, char32_t c) {
  const BertNormalizer::Fate fate = bert.fate(c);
  switch (fate.kind) {
    case CharKind::kDropped:
      return U"";
    case CharKind::kSeveral:
      return std::u32string(bert.several(fate.value));
    case CharKind::kContext:
      return std::nullopt;
    default:
      return std::u32string(1, fate.value);
  }
}

TEST(BertNormalizer, TheTableAgreesWithTheSteps) {
  for (const bool lowercase : {false, true}) {
    const BertNormalizer bert({.lowercase = lowercase});
    int unanswered = 0;
    for (char32_t c = 0; c < 0x110000; ++c) {
      std::u32string expected = bert.normalize({&c, 1});
      const auto got = by_table(bert, c);
      if (!got) {
        unanswered += c < 0x30000;
        continue;
      }
      if (bert.fate(c).kind == CharKind::kPunctuation && expected.size() == 3) {
        expected = expected.substr(1, 1); // Chinese, between spaces
      }
      ASSERT_EQ(*got, expected) << std::hex << static_cast<std::uint32_t>(c);
    }
    EXPECT_LT(unanswered, 100);
  }
}

TEST(BertNormalizer, KindsFollowTheNormalisedCharacter) {
  const BertNormalizer bert({});
  EXPECT_EQ(bert.fate(U'A').kind, CharKind::kWord);
  EXPECT_EQ(bert.fate(U'A').value, U'a');
  EXPECT_EQ(bert.fate(U'\t').kind, CharKind::kSpace);
  EXPECT_EQ(bert.fate(0).kind, CharKind::kDropped);
  EXPECT_EQ(bert.fate(0x37E).kind, CharKind::kPunctuation); // Greek ?
  EXPECT_EQ(bert.fate(0x37E).value, U';');
  EXPECT_EQ(bert.fate(0x6211).kind, CharKind::kPunctuation); // Chinese
  EXPECT_EQ(bert.several(bert.fate(0xAC00).value), U"\u1100\u1161");
  EXPECT_EQ(bert.fate(0x302E).kind, CharKind::kContext);
  EXPECT_EQ(bert.fate(0x10FFFF).kind, CharKind::kContext);
}

} // namespace
} // namespace accelerate::text
