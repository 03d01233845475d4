// tests/unit/text/token_template_test.cpp: how two texts share a length.
#include "accelerate/text/token_template_impl.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace accelerate::text {
namespace {

using ::testing::ElementsAre;

TEST(TokenTemplate, LongestFirstCutsTheLongerUntilBothAreEqual) {
  for (std::int64_t first = 0; first < 12; ++first) {
    for (std::int64_t second = 0; second < 12; ++second) {
      for (std::int64_t room = 0; room < 24; ++room) {
        const auto kept = longest_first({first, second}, room);
        EXPECT_EQ(kept.first + kept.second, std::min(first + second, room));
        EXPECT_LE(kept.first, first);
        EXPECT_LE(kept.second, second);
        if (kept.first < first && kept.second < second) {
          EXPECT_LE(std::abs(kept.first - kept.second), 1);
        }
      }
    }
  }
}

TEST(TokenTemplate, FixedTokensCanBeLeftOut) {
  const TokenTemplate both{
      {{.kind = TemplatePart::Kind::kTokens, .tokens = {9, 8}},
       {.kind = TemplatePart::Kind::kSecond, .type_id = 1},
       {.kind = TemplatePart::Kind::kFirst}}};
  EXPECT_EQ(both.num_added(), 2);
  const std::vector<TokenId> first{1};
  const std::vector<TokenId> second{2, 3};
  TokenRow row;
  apply_template(both, FixedTokens::kKeep, first, second, row);
  apply_template(both, FixedTokens::kLeaveOut, first, second, row);
  EXPECT_THAT(row.ids, ElementsAre(9, 8, 2, 3, 1, 2, 3, 1));
  EXPECT_THAT(row.type_ids, ElementsAre(0, 0, 1, 1, 0, 1, 1, 0));
}

} // namespace
} // namespace accelerate::text
