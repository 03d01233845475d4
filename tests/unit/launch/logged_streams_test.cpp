// tests/unit/launch/logged_streams_test.cpp
#include "accelerate/launch/logged_streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"

namespace accelerate {
namespace {

TEST(LoggedStreams, AreOneNumberForAllRanks) {
  for (int number = 0; number <= 3; ++number) {
    const auto logged = LoggedStreams::parse(std::to_string(number));
    EXPECT_EQ(logged.of(0), static_cast<Streams>(number));
    EXPECT_EQ(logged.of(1000), static_cast<Streams>(number));
  }
  EXPECT_EQ(LoggedStreams().of(7), Streams::kBoth);
}

TEST(LoggedStreams, AreANumberForEachNamedRankAndNoneForOthers) {
  const auto logged = LoggedStreams::parse("0:3,1:2,12:1,3:0");
  EXPECT_EQ(logged.of(0), Streams::kBoth);
  EXPECT_EQ(logged.of(1), Streams::kErr);
  EXPECT_EQ(logged.of(12), Streams::kOut);
  EXPECT_EQ(logged.of(3), Streams::kNone);
  EXPECT_EQ(logged.of(2), Streams::kNone);
  EXPECT_TRUE(includes(Streams::kBoth, Streams::kErr));
  EXPECT_FALSE(includes(Streams::kOut, Streams::kErr));
}

TEST(LoggedStreams, RefuseEverythingElse) {
  for (const char* text :
       {"",
        "4",
        "-1",
        "33",
        "x",
        "0:",
        ":1",
        "0:4",
        "0:3,",
        ",",
        "0:1,0:2",
        "0:1,1",
        "1024:1",
        "-1:1",
        "0:1:2",
        "99999999999:1"}) {
    try {
      static_cast<void>(LoggedStreams::parse(text));
      ADD_FAILURE() << text;
    } catch (const ConfigError& error) {
      EXPECT_THAT(
          error.what(),
          testing::HasSubstr("launch.tee] '" + std::string(text) + "'"));
    }
  }
}

} // namespace
} // namespace accelerate
