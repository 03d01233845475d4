// tests/unit/comm/exchange_test.cpp: a world of one.
#include "accelerate/comm/exchange.h"

#include "accelerate/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ops/full.h>

namespace accelerate {
namespace {

using testing::ElementsAre;

TEST(Exchange, AWorldOfOneGivesItsOwnText) {
  const ProcessGroup group;
  const std::string bytes("a\0b", 3);
  EXPECT_THAT(gather_strings(group, bytes), ElementsAre(bytes));
  EXPECT_EQ(broadcast_string(group, bytes), bytes);
  EXPECT_THAT(gather_json(group, "[1, null]"), ElementsAre("[1, null]"));
  EXPECT_EQ(broadcast_json(group, "{}"), "{}");
  const at::Tensor given = at::full({3}, 7, at::kByte);
  EXPECT_TRUE(broadcast_bytes(group, given).is_same(given));
  EXPECT_EQ(broadcast_bytes(group, at::Tensor()).numel(), 0);
}

TEST(Exchange, RefusesTextThatIsNotJson) {
  const ProcessGroup group;
  for (const char* text : {"", "{", "{'a': 1}", "[1,]", "nan", "1 2"}) {
    EXPECT_THROW((void)gather_json(group, text), ConfigError) << text;
    EXPECT_THROW((void)broadcast_json(group, text), ConfigError) << text;
  }
}

TEST(Exchange, RefusesARankThatIsNotThere) {
  for (const int rank : {-1, 1}) {
    EXPECT_THROW((void)broadcast_string(ProcessGroup(), "", rank), ConfigError);
    EXPECT_THROW(
        (void)broadcast_bytes(ProcessGroup(), {}, {.from_rank = rank}),
        ConfigError);
  }
}

} // namespace
} // namespace accelerate
