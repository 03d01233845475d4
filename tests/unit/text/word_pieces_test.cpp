// tests/unit/text/word_pieces_test.cpp: the split of words.
#include "accelerate/text/word_pieces_impl.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"

namespace accelerate::text {
namespace {

using ::testing::ElementsAre;

std::vector<TokenId> split(const WordPieces& pieces, std::string_view word) {
  std::vector<TokenId> ids;
  pieces.split(word, ids);
  return ids;
}

TEST(WordPieces, TheVocabularyNeedsTheUnknownToken) {
  EXPECT_THROW(WordPieces({{"a", 0}}, {}), ConfigError);
}

TEST(WordPieces, TakesTheLongestPieceAtEachPlace) {
  const WordPieces pieces(
      {{"[UNK]", 0},
       {"un", 1},
       {"una", 2},
       {"##aff", 3},
       {"##able", 4},
       {"##ff", 5},
       {"##", 6},
       {"", 7}},
      {});
  EXPECT_THAT(split(pieces, "unaffable"), ElementsAre(2, 5, 4));
  // Greedy: "una" is taken although only "un ##aff" would go on.
  EXPECT_THAT(split(pieces, "unaf"), ElementsAre(0));
  EXPECT_THAT(split(pieces, "un"), ElementsAre(1));
  EXPECT_THAT(split(pieces, "x"), ElementsAre(0));
}

TEST(WordPieces, LongWordsAreUnknownByCharactersNotBytes) {
  const WordPieces pieces(
      {{"[UNK]", 0}, {"é", 1}, {"##é", 2}, {"ééé", 3}},
      {.max_input_chars_per_word = 2});
  EXPECT_THAT(split(pieces, "éé"), ElementsAre(1, 2));
  EXPECT_THAT(split(pieces, "ééé"), ElementsAre(0));
}

TEST(WordPieces, FindsWholeWordsByTheirBytes) {
  const std::string nul("a\0", 2);
  const WordPieces pieces(
      {{"[UNK]", 0}, {"sixteenletterssx", 1}, {"a", 2}, {nul, 3}}, {});
  WordPieces::Key key;
  std::memcpy(&key.low, "sixteenl", 8);
  std::memcpy(&key.high, "etterssx", 8);
  EXPECT_EQ(pieces.find_word(key), 1);
  key = {};
  EXPECT_EQ(pieces.find_word(key), WordPieces::kNone);
  std::memcpy(&key.low, "a", 1);
  EXPECT_EQ(pieces.find_word(key), 2); // not the word that ends in NUL
}

TEST(WordPieces, TheTrieGrowsWithItsVocabulary) {
  Vocabulary vocabulary{{"[UNK]", 0}};
  for (TokenId id = 1; id < 5000; ++id) {
    vocabulary.emplace(concat("w", id * 7919), id);
  }
  const WordPieces pieces(vocabulary, {});
  for (const auto& [word, id] : vocabulary) {
    EXPECT_THAT(split(pieces, word), ElementsAre(id)) << word;
  }
}

} // namespace
} // namespace accelerate::text
