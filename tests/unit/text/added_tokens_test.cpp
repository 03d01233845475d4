// tests/unit/text/added_tokens_test.cpp: leftmost-longest search.
#include "accelerate/text/added_tokens_impl.h"

#include <gtest/gtest.h>

namespace accelerate::text {
namespace {

TEST(AddedTokens, NothingMatchesNothing) {
  EXPECT_EQ(AddedTokens().find("abc", 0).token, nullptr);
  const AddedTokens empty({{.content = "", .id = 1}});
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(empty.find("abc", 0).token, nullptr);
  const AddedTokens tokens({{.content = "[X]", .id = 1}});
  EXPECT_EQ(tokens.find("", 0).token, nullptr);
  EXPECT_EQ(tokens.find("[X", 0).token, nullptr);
  EXPECT_EQ(tokens.find("[X]", 1).token, nullptr);
}

TEST(AddedTokens, TheLeftmostThenTheLongestWins) {
  const AddedTokens tokens(
      {{.content = "ab", .id = 1},
       {.content = "abc", .id = 2},
       {.content = "b", .id = 3}});
  const auto match = tokens.find("xabcb", 0);
  EXPECT_EQ(match.token->id, 2);
  EXPECT_EQ(match.begin, 1u);
  EXPECT_EQ(match.end, 4u);
  EXPECT_EQ(tokens.find("xabcb", 2).token->id, 3);
}

TEST(AddedTokens, StrippingTakesWhiteSpaceUpToTheLastMatch) {
  const AddedTokens tokens(
      {{.content = "<m>", .id = 1, .strips_left = true, .strips_right = true}});
  const std::string text = "a \u3000<m>\t\u00a0b";
  const auto match = tokens.find(text, 0);
  EXPECT_EQ(match.begin, 1u);
  EXPECT_EQ(text.substr(match.end), "b");
  EXPECT_EQ(tokens.find(text, 2).begin, 2u);
}

} // namespace
} // namespace accelerate::text
