// tests/unit/root/error_test.cpp: wording and families of errors.
#include "accelerate/error.h"

#include "accelerate/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace accelerate {
namespace {

template <typename Error>
std::string message_of(int value) {
  try {
    ACCELERATE_CHECK(
        value < 8, Error, "area.check", "value ", value, ", limit ", 8);
  } catch (const Error& e) {
    return e.what();
  }
  return "(accepted)";
}

/// Sets who this process is, until the end of the test.
class AsRank {
 public:
  explicit AsRank(LogIdentity identity) : previous_(log_identity()) {
    set_log_identity(identity);
  }
  ~AsRank() {
    set_log_identity(previous_);
  }
  AsRank(const AsRank&) = delete;
  AsRank& operator=(const AsRank&) = delete;

 private:
  LogIdentity previous_;
};

TEST(Error, EveryFamilySaysPlaceValueAndLimit) {
  const std::string expected = "[area.check] value 9, limit 8";
  EXPECT_EQ(message_of<ConfigError>(9), expected);
  EXPECT_EQ(message_of<CommError>(9), expected);
  EXPECT_EQ(message_of<CheckpointError>(9), expected);
  EXPECT_EQ(message_of<InternalError>(9), expected);
  EXPECT_EQ(message_of<ConfigError>(7), "(accepted)");
}

TEST(Error, NamesTheRankInAWorldLargerThanOne) {
  {
    const AsRank rank({.global_rank = 3, .world_size = 8});
    EXPECT_EQ(
        message_of<CommError>(9), "[area.check] value 9, limit 8 (rank 3/8)");
  }
  EXPECT_EQ(message_of<CommError>(9), "[area.check] value 9, limit 8");
}

TEST(Error, FamiliesAreCaughtAsTheStandardErrorsTheyStandFor) {
  EXPECT_TRUE((std::is_base_of_v<std::invalid_argument, ConfigError>));
  EXPECT_TRUE((std::is_base_of_v<std::runtime_error, CommError>));
  EXPECT_TRUE((std::is_base_of_v<std::runtime_error, CheckpointError>));
  EXPECT_TRUE((std::is_base_of_v<std::logic_error, InternalError>));
}

TEST(Error, EvaluatesThePartsOnFailureOnly) {
  int evaluated = 0;
  const auto part = [&] { return ++evaluated; };
  ACCELERATE_CHECK(true, ConfigError, "area.check", part());
  EXPECT_EQ(evaluated, 0);
  EXPECT_THROW(
      ACCELERATE_CHECK(false, ConfigError, "area.check", part()), ConfigError);
  EXPECT_EQ(evaluated, 1);
  EXPECT_THROW(
      ACCELERATE_CHECK_INTERNAL(false, "area.check", "broken"), InternalError);
}

TEST(Error, ShowsControlCharactersAsNumbers) {
  EXPECT_EQ(
      error_message("a.b", std::string("x\0\x1b[31m\x7f\ty\nz\xc3\xa9", 14)),
      "[a.b] x\\x00\\x1b[31m\\x7f\ty\nz\xc3\xa9");
}

TEST(Error, DescribesErrnoWithNumberAndText) {
  EXPECT_EQ(describe_errno(98), "errno 98 (Address already in use)");
  EXPECT_EQ(describe_errno(99999), "errno 99999 (Unknown error 99999)");
}

} // namespace
} // namespace accelerate
