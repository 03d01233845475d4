// tests/unit/comm/exchange_test.cpp: a world of one.
#include "accelerate/comm/exchange.h"

#include "accelerate/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  }
}

} // namespace
} // namespace accelerate
