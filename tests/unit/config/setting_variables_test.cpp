// tests/unit/config/setting_variables_test.cpp: what is handed over for which
// job. That it is what the original hands over is tested with its own files in
// config_file_test.cpp.
#include "accelerate/config/setting_variables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace accelerate::config {
namespace {

using testing::Contains;
using testing::Key;
using testing::Not;
using testing::Pair;
using Words = std::vector<std::pair<std::string, std::string>>;
using Variables = std::map<std::string, std::string>;

Variables variables_of(const Words& flags, const Words& environment = {}) {
  std::vector<GivenValue> values;
  for (const auto& [name, value] : flags) {
    values.push_back({find_launch_option(name), value, "--" + name});
  }
  return setting_variables(LaunchSettings(
      values, {}, [&](const std::string& name) -> std::optional<std::string> {
        for (const auto& [variable, value] : environment) {
          if (variable == name) {
            return value;
          }
        }
        return std::nullopt;
      }));
}

TEST(SettingVariables, OfAJobWithoutFlagsAreThoseOfTheOriginal) {
  const Variables expected{
      {"ACCELERATE_DYNAMO_BACKEND", "NO"},
      {"ACCELERATE_DYNAMO_MODE", "default"},
      {"ACCELERATE_DYNAMO_USE_DYNAMIC", "False"},
      {"ACCELERATE_DYNAMO_USE_FULLGRAPH", "False"},
      {"ACCELERATE_DYNAMO_USE_REGIONAL_COMPILATION", "False"},
      {"ACCELERATE_MIXED_PRECISION", "no"},
      {"ACCELERATE_USE_CPU", "False"}};
  EXPECT_EQ(variables_of({}), expected);
}

TEST(SettingVariables, LeaveAloneWhatAVariableSaysItself) {
  const Words environment{
      {"ACCELERATE_MIXED_PRECISION", "BF16"}, {"OMP_NUM_THREADS", "4,2"}};
  Variables variables = variables_of({}, environment);
  EXPECT_THAT(variables, Not(Contains(Key("ACCELERATE_MIXED_PRECISION"))));
  EXPECT_THAT(variables, Not(Contains(Key("OMP_NUM_THREADS"))));
  variables = variables_of(
      {{"mixed_precision", "fp16"}, {"num_cpu_threads_per_process", "3"}},
      environment);
  EXPECT_THAT(variables, Contains(Pair("ACCELERATE_MIXED_PRECISION", "fp16")));
  EXPECT_THAT(variables, Contains(Pair("OMP_NUM_THREADS", "3")));
}

TEST(SettingVariables, CarrySwitchesInTheSpellingOfTheOriginal) {
  const Variables variables = variables_of(
      {{"cpu", "true"},
       {"debug", "true"},
       {"enable_cpu_affinity", "true"},
       {"gpu_ids", "0,2"},
       {"gradient_accumulation_steps", "4"},
       {"role", "boss"},
       {"main_process_port", "4000"},
       {"dynamo_backend", "inductor"},
       {"dynamo_use_dynamic", "true"}});
  for (const auto& [name, value] :
       {std::pair{"ACCELERATE_USE_CPU", "True"},
        {"ACCELERATE_DEBUG_MODE", "true"},
        {"ACCELERATE_CPU_AFFINITY", "1"},
        {"CUDA_VISIBLE_DEVICES", "0,2"},
        {"ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4"},
        {"ACCELERATE_DYNAMO_BACKEND", "INDUCTOR"},
        {"ACCELERATE_DYNAMO_USE_DYNAMIC", "True"}}) {
    EXPECT_THAT(variables, Contains(Pair(name, value)));
  }
  // The launcher gives these itself.
  EXPECT_THAT(variables, Not(Contains(Key("ROLE_NAME"))));
  EXPECT_THAT(variables, Not(Contains(Key("MASTER_PORT"))));
}

TEST(SettingVariables, OfParadigmsComeWithTheirSwitchOnly) {
  const Words details{
      {"fsdp_offload_params", "True"},
      {"fp8_margin", "2"},
      {"fp8_override_linear_precision", "1,0,1"},
      {"parallelism_config_tp_size", "2"},
      {"fsdp_version", "2"}};
  for (const auto& [name, value] : variables_of(details)) {
    EXPECT_THAT(name, Not(testing::HasSubstr("FSDP")));
    EXPECT_THAT(name, Not(testing::HasSubstr("FP8")));
    EXPECT_THAT(name, Not(testing::HasSubstr("PARALLELISM")));
  }
  Words flags = details;
  flags.insert(
      flags.end(),
      {{"use_fsdp", "true"},
       {"mixed_precision", "fp8"},
       {"use_parallelism_config", "true"}});
  const Variables variables = variables_of(flags);
  for (const auto& [name, value] :
       {std::pair{"ACCELERATE_USE_FSDP", "true"},
        {"FSDP_OFFLOAD_PARAMS", "true"},
        {"FSDP_SHARDING_STRATEGY", "FULL_SHARD"},
        {"ACCELERATE_FP8_MARGIN", "2"},
        {"ACCELERATE_FP8_OVERRIDE_FPROP", "True"},
        {"ACCELERATE_FP8_OVERRIDE_DGRAD", "False"},
        {"ACCELERATE_FP8_OVERRIDE_WGRAD", "True"},
        {"ACCELERATE_USE_PARALLELISM_CONFIG", "true"},
        {"PARALLELISM_CONFIG_TP_SIZE", "2"}}) {
    EXPECT_THAT(variables, Contains(Pair(name, value)));
  }
  EXPECT_THAT(variables, Not(Contains(Key("FSDP_AUTO_WRAP_POLICY"))));
  EXPECT_THAT(variables, Not(Contains(Key("ACCELERATE_USE_CPU"))));
  EXPECT_THAT(
      variables, Not(Contains(Key("PARALLELISM_CONFIG_CP_COMM_STRATEGY"))));
}

TEST(
    SettingVariables,
    OfContextAndSequenceComeWhenThereAreSeveralRanksForThem) {
  const Variables variables = variables_of(
      {{"use_fsdp", "true"},
       {"fsdp_version", "2"},
       {"use_parallelism_config", "true"},
       {"parallelism_config_cp_size", "2"},
       {"parallelism_config_sp_size", "2"}});
  EXPECT_THAT(
      variables,
      Contains(Pair("PARALLELISM_CONFIG_CP_COMM_STRATEGY", "allgather")));
  EXPECT_THAT(
      variables,
      Contains(Pair("PARALLELISM_CONFIG_SP_SEQ_LENGTH_IS_VARIABLE", "True")));
}

} // namespace
} // namespace accelerate::config
