// tests/unit/comm/operation_log_test.cpp
#include "accelerate/comm/operation_log_impl.h"

#include <gtest/gtest.h>

namespace accelerate::comm {
namespace {

OperationLog log_of(std::initializer_list<std::string_view> names) {
  OperationLog log;
  for (const std::string_view name : names) {
    log.add(name);
  }
  return log;
}

std::optional<std::uint64_t> conflict(
    const OperationLog& a,
    const OperationLog& b) {
  const auto forth = OperationLog::first_conflict(a, b);
  EXPECT_EQ(forth, OperationLog::first_conflict(b, a));
  return forth;
}

TEST(OperationLog, NumbersAndNamesWhatWasAdded) {
  OperationLog log;
  EXPECT_EQ(log.name_of(0), "");
  EXPECT_EQ(log.add("a"), 0u);
  EXPECT_EQ(log.add("a"), 1u);
  EXPECT_EQ(log.add("b"), 2u);
  EXPECT_EQ(log.size(), 3u);
  EXPECT_EQ(log.name_of(1), "a");
  EXPECT_EQ(log.name_of(2), "b");
  EXPECT_EQ(log.name_of(3), "");
}

TEST(OperationLog, ForgetsTheOldestRuns) {
  OperationLog log;
  for (int i = 0; i < 1000; ++i) {
    log.add(i % 2 == 0 ? "a" : "b");
  }
  EXPECT_EQ(log.name_of(0), "");
  EXPECT_EQ(log.name_of(998), "a");
  EXPECT_EQ(log.name_of(999), "b");
  EXPECT_LT(log.text().size(), 200u);
}

TEST(OperationLog, ARankThatIsAheadIsNoConflict) {
  EXPECT_EQ(conflict(log_of({}), log_of({"a"})), std::nullopt);
  EXPECT_EQ(conflict(log_of({"a"}), log_of({"a", "b"})), std::nullopt);
  EXPECT_EQ(conflict(log_of({"a", "a"}), log_of({"a", "a"})), std::nullopt);
}

TEST(OperationLog, FindsTheFirstNumberWithTwoNames) {
  EXPECT_EQ(conflict(log_of({"a"}), log_of({"b"})), 0u);
  EXPECT_EQ(conflict(log_of({"a", "a", "a"}), log_of({"a", "b"})), 1u);
  EXPECT_EQ(conflict(log_of({"a", "b", "c"}), log_of({"a", "c", "b"})), 1u);
}

TEST(OperationLog, ComparesOnlyWhatBothRemember) {
  OperationLog late;
  OperationLog also_late;
  late.add("different");
  also_late.add("at first");
  for (int i = 0; i < 100; ++i) {
    late.add(i % 2 == 0 ? "a" : "b");
    also_late.add(i % 2 == 0 ? "a" : "b");
  }
  EXPECT_EQ(conflict(late, also_late), std::nullopt);
  late.add("c");
  also_late.add("d");
  EXPECT_EQ(conflict(late, also_late), 101u);
}

TEST(OperationLog, ReadsItsOwnText) {
  for (const OperationLog& log :
       {log_of({}),
        log_of({"a"}),
        log_of({"step.backward", "step.backward", "comm.gather"})}) {
    const auto copy = OperationLog::parse(log.text());
    ASSERT_TRUE(copy.has_value());
    EXPECT_EQ(copy->text(), log.text());
  }
}

TEST(OperationLog, RefusesOtherTexts) {
  for (const char* text :
       {"",
        "x",
        "-1\n0 a\n",
        "2\n",
        "0\n0 a\n",
        "2\n0 a\n0 b\n",
        "2\n1 a\n0 b\n",
        "2\n0 a\n5 b\n",
        "2\n0 a\nb\n",
        "99999999999999999999999\n0 a\n"}) {
    EXPECT_FALSE(OperationLog::parse(text).has_value()) << text;
  }
}

} // namespace
} // namespace accelerate::comm
