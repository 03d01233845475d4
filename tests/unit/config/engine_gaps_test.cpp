// tests/unit/config/engine_gaps_test.cpp: what must not be ignored.
#include "accelerate/config/engine_gaps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"

namespace accelerate::config {
namespace {

void check(const std::string& variable, const std::string& value) {
  check_engine_gaps([&](const std::string& name) -> std::optional<std::string> {
    return name == variable ? std::optional(value) : std::nullopt;
  });
}

TEST(EngineGaps, AreErrorsThatNameTheVariableAndTheFlag) {
  for (const auto& [variable, value, words] :
       {std::tuple{"ACCELERATE_USE_FSDP", "true", "leave out --use_fsdp"},
        {"ACCELERATE_USE_FSDP", "maybe", "sharded"},
        {"ACCELERATE_DYNAMO_BACKEND", "INDUCTOR", "compiled"},
        {"ACCELERATE_USE_PARALLELISM_CONFIG", "1", "one dimension"},
        {"ACCELERATE_USE_DEEPSPEED", "true", "DeepSpeed"},
        {"ACCELERATE_USE_MEGATRON_LM", "true", "Megatron"}}) {
    try {
      check(variable, value);
      ADD_FAILURE() << variable;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(words));
      EXPECT_THAT(error.what(), testing::HasSubstr(variable));
    }
  }
}

TEST(EngineGaps, AreNoneWhenNothingIsAskedFor) {
  for (const auto& [variable, value] :
       {std::pair{"ACCELERATE_USE_FSDP", "false"},
        {"ACCELERATE_USE_FSDP", ""},
        {"ACCELERATE_DYNAMO_BACKEND", "NO"},
        {"ACCELERATE_DYNAMO_MODE", "default"},
        {"OTHER", "true"}}) {
    EXPECT_NO_THROW(check(variable, value)) << variable;
  }
  EXPECT_EQ(engine_gap("use_fsdp", "false"), "");
  EXPECT_EQ(engine_gap("mixed_precision", "bf16"), "");
  EXPECT_NE(engine_gap("mixed_precision", "fp8"), "");
}

} // namespace
} // namespace accelerate::config
