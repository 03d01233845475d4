// tests/unit/config/launch_option_table_test.cpp: what values are refused, and
// that the table has every flag of the original.
#include "accelerate/config/launch_option_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

namespace accelerate::config {
namespace {

using testing::HasSubstr;

TEST(LaunchOptionTable, SaysWhatIsWrongWithAValue) {
  struct Row {
    const char* option;
    const char* value;
    const char* problem;
  };
  for (const Row& row :
       {Row{"num_processes", "", "expected a number from 1 to 1024"},
        Row{"num_processes", "0", "from 1 to 1024"},
        Row{"num_processes", "1025", "from 1 to 1024"},
        Row{"num_processes", "2.5", "from 1 to 1024"},
        Row{"gradient_accumulation_steps", "0", "expected a number from 1 up"},
        Row{"main_process_port", "65536", "from 0 to 65535"},
        Row{"mixed_precision", "half", "expected no, fp16, bf16 or fp8"},
        Row{"mixed_precision", "", "expected no, fp16, bf16 or fp8"},
        Row{"fsdp_version", "3", "expected 1 or 2"},
        Row{"fsdp_offload_params", "maybe", "expected true or false"},
        Row{"fsdp_offload_params", "", "expected true or false"},
        Row{"monitor_interval", "-1", "expected a number, 0 or more"},
        Row{"monitor_interval", "nan", "expected a number, 0 or more"},
        Row{"monitor_interval", "1s", "expected a number, 0 or more"},
        Row{"gpu_ids", "", "expected a value"},
        Row{"fp8_override_linear_precision", "1,0", "three times"},
        Row{"fp8_override_linear_precision", "1,0,x", "three times"},
        Row{"fp8_override_linear_precision", "1,,0", "three times"}}) {
    EXPECT_THAT(
        problem_with(*find_launch_option(row.option), row.value),
        HasSubstr(row.problem))
        << row.option << ' ' << row.value;
  }
  using namespace std::string_literals;
  EXPECT_NE(problem_with(*find_launch_option("role"), "a\0b"s), "");
}

TEST(LaunchOptionTable, TakesValuesInAnyCase) {
  for (const auto& [option, value] :
       {std::pair{"fp8_backend", "AO"},
        {"dynamo_backend", "INDUCTOR"},
        {"fsdp_offload_params", "True"},
        {"fp8_override_linear_precision", "True,false,0"},
        {"main_process_port", "0"},
        {"heartbeat_timeout", "1e3"}}) {
    EXPECT_EQ(problem_with(*find_launch_option(option), value), "") << option;
  }
}

TEST(LaunchOptionTable, RefusesWithAReasonWhatAsksForSomething) {
  struct Row {
    const char* option;
    const char* value;
    const char* reason;
  };
  for (const Row& row :
       {Row{"zero_stage", "0", "DeepSpeed"},
        Row{"megatron_lm_tp_degree", "2", "Megatron-LM"},
        Row{"tpu", "true", "TPU"},
        Row{"vm", "a", "TPU"},
        Row{"aws_access_key_id", "x", "SageMaker"},
        Row{"fp8_backend", "msamp", "MS-AMP"},
        Row{"distributed_type", "MULTI_XPU", "CUDA"},
        Row{"compute_environment", "AMAZON_SAGEMAKER", "SageMaker"}}) {
    EXPECT_THAT(
        refusal_of(*find_launch_option(row.option), row.value),
        HasSubstr(row.reason))
        << row.option;
  }
  for (const auto& [option, value] :
       {std::pair{"megatron_lm_tp_degree", "1"},
        {"tpu_use_sudo", "false"},
        {"downcast_bf16", "no"},
        {"main_training_function", "main"},
        {"env", ""},
        {"rdzv_backend", "static"},
        {"mixed_precision", "fp8"},
        {"distributed_type", "FSDP"}}) {
    EXPECT_EQ(refusal_of(*find_launch_option(option), value), "") << option;
  }
}

TEST(LaunchOptionTable, NamesNothingTwice) {
  std::set<std::string_view> names;
  std::set<std::string_view> keys;
  std::set<std::string_view> variables;
  std::set<char> letters;
  for (const LaunchOption& option : launch_option_table()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_EQ(option.name.find('-'), std::string_view::npos) << option.name;
    EXPECT_TRUE(option.key.empty() || keys.insert(option.key).second)
        << option.key;
    EXPECT_TRUE(
        option.variable.empty() || variables.insert(option.variable).second)
        << option.variable;
    EXPECT_TRUE(
        option.short_name == 0 || letters.insert(option.short_name).second)
        << option.name;
    EXPECT_TRUE(!option.help.empty() || !refusal_of(option).empty())
        << option.name;
    EXPECT_TRUE(
        option.default_value.empty() ||
        problem_with(option, option.default_value).empty())
        << option.name;
  }
  EXPECT_EQ(find_launch_option("num-processes")->name, "num_processes");
  EXPECT_EQ(find_launch_option("num"), nullptr);
  EXPECT_EQ(find_launch_option(""), nullptr);
}

/// Defaults that differ on purpose; docs/differences.md says why.
const std::set<std::string_view> kOtherDefaults{
    "main_process_port", // 29500 there
};

bool has_letter(char letter) {
  const auto table = launch_option_table();
  return std::any_of(
      table.begin(), table.end(), [&](const LaunchOption& option) {
        return option.short_name == letter;
      });
}

void expect_same(const LaunchOption& option, const nlohmann::json& flag) {
  EXPECT_FALSE(option.is_file_only) << option.name;
  EXPECT_EQ(takes_value(option), flag["takes_value"].get<bool>())
      << option.name;
  if (flag["choices"].is_array()) {
    for (const std::string choice : flag["choices"]) {
      EXPECT_EQ(problem_with(option, choice), "") << option.name;
    }
  }
  if (!flag["default"].is_string() || !takes_value(option) ||
      !refusal_of(option).empty() || kOtherDefaults.contains(option.name)) {
    return;
  }
  std::string expected = flag["default"];
  if (option.kind == OptionKind::kYesNo ||
      option.kind == OptionKind::kThreeYesNo) {
    // Python prints False.
    std::transform(
        expected.begin(), expected.end(), expected.begin(), [](char c) {
          return static_cast<char>(std::tolower(c));
        });
  }
  EXPECT_EQ(option.default_value, expected) << option.name;
}

TEST(LaunchOptionTable, HasEveryFlagOfTheOriginal) {
  const auto golden = nlohmann::json::parse(std::ifstream(
      ACCELERATE_TEST_DATA "/unit/config/golden/launch_flags.json"));
  ASSERT_GT(golden["flags"].size(), 120U);
  for (const auto& flag : golden["flags"]) {
    for (const std::string spelling : flag["spellings"]) {
      if (spelling == "-h" || spelling == "--help") {
        continue;
      }
      if (!spelling.starts_with("--")) {
        EXPECT_TRUE(has_letter(spelling[1])) << spelling;
        continue;
      }
      const LaunchOption* option = find_launch_option(spelling.substr(2));
      ASSERT_NE(option, nullptr) << spelling;
      expect_same(*option, flag);
    }
  }
}

} // namespace
} // namespace accelerate::config
