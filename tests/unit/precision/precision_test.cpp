// tests/unit/precision/precision_test.cpp
#include "accelerate/precision/precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"

namespace accelerate {
namespace {

TEST(Precision, ReadsTheWordsItWrites) {
  for (const Precision precision :
       {Precision::kNo, Precision::kFp16, Precision::kBf16}) {
    EXPECT_EQ(parse_precision(to_string(precision)), precision);
  }
  EXPECT_EQ(parse_precision("bf16"), Precision::kBf16);
}

TEST(Precision, RefusesAnyOtherWordAndListsTheKnownOnes) {
  for (const char* word : {"", "FP16", "fp8", "float16", "no "}) {
    try {
      (void)parse_precision(word);
      FAIL() << "accepted '" << word << "'";
    } catch (const ConfigError& error) {
      EXPECT_THAT(
          error.what(), testing::HasSubstr("expected no, fp16 or bf16"));
    }
  }
}

} // namespace
} // namespace accelerate
