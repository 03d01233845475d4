// tests/unit/data/split_expression_test.cpp
#include "accelerate/data/split_expression.h"

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate::data {
namespace {

using testing::HasSubstr;

TEST(SplitExpression, RefusesWhatItDoesNotUnderstand) {
  for (const char* bad :
       {"",
        "+",
        "train+",
        "+train",
        " train",
        "train[]",
        "train[5]",
        "train[1:2",
        "train[--1:]",
        "train[_:]",
        "train[1:2]x",
        "train[:110%]",
        "train[-200%:]",
        "train[10%:20]",
        "train[:50%](closest)",
        "train[ 1:2]",
        "train[:99999999999999999999]",
        "train[1:2:3]"}) {
    EXPECT_THROW((void)parse_split_expression(bad), ConfigError) << bad;
  }
  EXPECT_THAT(
      message_of<ConfigError>([] { (void)parse_split_expression("train[5]"); }),
      HasSubstr("split expression 'train[5]': expected ':' at character 7"));
}

// Made by datasets 5.2.0: ReadInstruction.from_spec(text).to_absolute(...).
TEST(SplitExpression, RoundsAsTheOriginal) {
  struct Row {
    const char* text;
    std::int64_t num_rows, begin, end;
  };
  for (const Row& row : {
           Row{"train", 7, 0, 7},
           Row{"train[:]", 50, 0, 50},
           Row{"train[:2000]", 0, 0, 0},
           Row{"train[:2000]", 8484, 0, 2000},
           Row{"train[-100:]", 50, 0, 50},
           Row{"train[-100:]", 8484, 8384, 8484},
           Row{"train[5:3]", 1, 1, 1},
           Row{"train[5:3]", 50, 5, 3},
           Row{"train[1_0:2_0]", 50, 10, 20},
           Row{"train[10%:20%]", 7, 1, 1},
           Row{"train[10%:20%]", 25, 2, 5},
           Row{"train[10%:20%]", 8484, 848, 1697},
           Row{"train[-10%:]", 1, 0, 1},
           Row{"train[-10%:]", 7, 6, 7},
           Row{"train[-10%:]", 25, 23, 25},
           Row{"train[:3%]", 50, 0, 2},
           Row{"train[1%:5%]", 50, 0, 2},
           Row{"train[:7%]", 50, 0, 4},
           Row{"train[:7%]", 25, 0, 2},
           Row{"train[1%:5%]", 8484, 85, 424},
       }) {
    const std::vector<SplitSlice> terms = parse_split_expression(row.text);
    ASSERT_EQ(terms.size(), 1U);
    const RowRange rows = terms[0].resolve(row.num_rows);
    EXPECT_EQ(rows.begin, row.begin) << row.text << ' ' << row.num_rows;
    EXPECT_EQ(rows.end, row.end) << row.text << ' ' << row.num_rows;
  }
}

TEST(SplitExpression, JoinsTerms) {
  const auto terms = parse_split_expression("train[:1] + test.b+x-y[2:]");
  ASSERT_EQ(terms.size(), 3U);
  EXPECT_EQ(terms[1].split, "test.b");
  EXPECT_EQ(terms[2].from, 2);
  EXPECT_FALSE(terms[2].to.has_value());
}

} // namespace
} // namespace accelerate::data
