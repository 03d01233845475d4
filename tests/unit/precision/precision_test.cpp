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
  for (const char* word : {"", "FP16", "fp32", "float16", "no "}) {
    try {
      (void)parse_precision(word);
      FAIL() << "accepted '" << word << "'";
    } catch (const ConfigError& error) {
      EXPECT_THAT(
          error.what(), testing::HasSubstr("expected no, fp16 or bf16"));
    }
  }
}

template <typename F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no ConfigError";
}

TEST(Precision, RefusesFp8WithAHint) {
  EXPECT_THAT(
      refusal([] { (void)parse_precision("fp8"); }),
      testing::HasSubstr("'fp8' is not supported yet; use 'bf16'"));
}

TEST(Precision, IsTheOptionElseTheVariableElseNo) {
  const auto variable = [](const char* word) {
    return [word](const std::string& name) -> std::optional<std::string> {
      EXPECT_EQ(name, "ACCELERATE_MIXED_PRECISION");
      return word == nullptr ? std::nullopt : std::optional<std::string>(word);
    };
  };
  EXPECT_EQ(resolve_precision({}, variable(nullptr)), Precision::kNo);
  EXPECT_EQ(resolve_precision({}, variable("")), Precision::kNo);
  EXPECT_EQ(resolve_precision({}, variable("fp16")), Precision::kFp16);
  EXPECT_EQ(
      resolve_precision(Precision::kNo, variable("bf16")), Precision::kNo);
  EXPECT_THAT(
      refusal([&] { (void)resolve_precision({}, variable("fp32")); }),
      testing::HasSubstr("unknown mixed precision 'fp32'"));
}

TEST(Precision, OfAnyKindIsComputedByACpu) {
  for (const Precision precision :
       {Precision::kNo, Precision::kFp16, Precision::kBf16}) {
    EXPECT_NO_THROW(check_precision(precision, at::kCPU));
  }
}

} // namespace
} // namespace accelerate
