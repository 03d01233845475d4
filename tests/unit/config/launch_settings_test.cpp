// tests/unit/config/launch_settings_test.cpp: who outranks whom, and settings
// that contradict each other.
#include "accelerate/config/launch_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/error.h"

namespace accelerate::config {
namespace {

using Words = std::vector<std::pair<std::string, std::string>>;

std::vector<GivenValue> given(const Words& words, const std::string& place) {
  std::vector<GivenValue> values;
  for (const auto& [name, value] : words) {
    values.push_back({find_launch_option(name), value, place + name});
  }
  return values;
}

struct Sources {
  Words flags{};
  Words file{};
  Words variables{};
};

LaunchSettings settings_of(const Sources& sources) {
  return {
      given(sources.flags, "--"),
      given(sources.file, "train.yaml:"),
      [&](const std::string& name) -> std::optional<std::string> {
        for (const auto& [variable, value] : sources.variables) {
          if (variable == name) {
            return value;
          }
        }
        return std::nullopt;
      }};
}

std::string complaint(const Sources& sources) {
  try {
    settings_of(sources).validate();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "none";
}

TEST(LaunchSettings, NameWhatContradictsAndWhereItComesFrom) {
  const std::pair<Sources, const char*> rows[] = {
      {{.flags = {{"cpu", "true"}, {"multi_gpu", "true"}}},
       "--cpu and --multi_gpu contradict"},
      {{.flags = {{"multi_gpu", "true"}, {"use_fsdp", "true"}}},
       "--multi_gpu and --use_fsdp contradict"},
      {{.flags = {{"module", "true"}, {"no_python", "true"}}},
       "--module and --no_python"},
      {{.flags = {{"multi_gpu", "true"}}, .file = {{"num_processes", "1"}}},
       "--num_processes (train.yaml:num_processes) 1"},
      {{.flags = {{"use_parallelism_config", "true"}}},
       "--use_parallelism_config needs --use_fsdp"},
      {{.flags = {{"use_parallelism_config", "true"}, {"use_fsdp", "true"}},
        .file = {{"fsdp_version", "1"}}},
       "needs --use_fsdp and --fsdp_version 2"},
      {{.flags = {{"use_fsdp", "true"}},
        .file = {{"fsdp_sync_module_states", "false"}}},
       "--fsdp_sync_module_states (train.yaml:fsdp_sync_module_states) is "
       "false"},
      {{.file = {{"distributed_type", "FSDP"}},
        .variables = {{"ACCELERATE_USE_CPU", "maybe"}}},
       "--cpu (ACCELERATE_USE_CPU) is 'maybe', expected true or false"}};
  for (const auto& [sources, expected] : rows) {
    try {
      settings_of(sources).validate();
      ADD_FAILURE() << expected;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(expected));
    }
  }
}

TEST(LaunchSettings, AcceptWhatAgrees) {
  for (const Sources& sources :
       {Sources{},
        Sources{
            .flags = {{"cpu", "true"}}, .file = {{"distributed_type", "FSDP"}}},
        Sources{
            .file =
                {{"distributed_type", "MULTI_GPU"}, {"num_processes", "1"}}},
        Sources{
            .flags =
                {{"use_parallelism_config", "true"},
                 {"use_fsdp", "true"},
                 {"fsdp_version", "2"}}},
        Sources{
            .flags = {{"use_fsdp", "true"}},
    .file = {
        {"fsdp_sync_module_states", "false"},
        {"fsdp_cpu_ram_efficient_loading", "false"}}}}) {
    EXPECT_EQ(complaint(sources), "none");
  }
}

TEST(LaunchSettings, PutFlagsOverVariablesOverTheFileOverDefaults) {
  Sources sources;
  const auto precision = [&] {
    const LaunchSettings settings = settings_of(sources);
    const Setting& setting = settings.at("mixed_precision");
    return setting.value + " from " + describe_origin(setting);
  };
  EXPECT_EQ(precision(), "no from default");
  sources.file = {{"mixed_precision", "fp16"}};
  EXPECT_EQ(precision(), "fp16 from train.yaml:mixed_precision");
  sources.variables = {{"ACCELERATE_MIXED_PRECISION", ""}};
  EXPECT_EQ(precision(), "fp16 from train.yaml:mixed_precision");
  sources.variables = {{"ACCELERATE_MIXED_PRECISION", "bf16"}};
  EXPECT_EQ(precision(), "bf16 from ACCELERATE_MIXED_PRECISION");
  sources.flags = {{"mixed_precision", "no"}};
  EXPECT_EQ(precision(), "no from --mixed_precision");
}

TEST(LaunchSettings, ForgetWhatALauncherFurtherOutsideSet) {
  const LaunchSettings settings = settings_of(
      {.variables = {{"MASTER_PORT", "29500"}, {"ROLE_NAME", "trainer"}}});
  EXPECT_EQ(settings.number("main_process_port"), 0);
  EXPECT_EQ(settings.text("role"), "default");
}

TEST(LaunchSettings, TakeTheKindOfJobFromTheFileUnlessAFlagSaysIt) {
  const auto kinds = [](const Sources& sources) {
    const LaunchSettings settings = settings_of(sources);
    std::string text;
    for (const char* name :
         {"multi_gpu", "use_fsdp", "use_parallelism_config"}) {
      text += settings.is_on(name) ? std::string(name) + ' ' : "";
    }
    return text;
  };
  EXPECT_EQ(kinds({.file = {{"distributed_type", "MULTI_GPU"}}}), "multi_gpu ");
  EXPECT_EQ(kinds({.file = {{"distributed_type", "MULTI_CPU"}}}), "");
  const Words sharded{
      {"distributed_type", "FSDP"}, {"parallelism_config_tp_size", "2"}};
  EXPECT_EQ(kinds({.file = sharded}), "use_fsdp use_parallelism_config ");
  EXPECT_EQ(
      kinds({.flags = {{"multi_gpu", "true"}}, .file = sharded}), "multi_gpu ");
  EXPECT_EQ(kinds({.flags = {{"cpu", "true"}}, .file = sharded}), "");
  EXPECT_EQ(
      describe_origin(settings_of({.file = sharded}).at("use_fsdp")),
      "train.yaml:distributed_type");
}

TEST(LaunchSettings, ReadNumbersOfVariablesStrictly) {
  const LaunchSettings settings = settings_of(
      {.variables = {{"ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4,2"}}});
  EXPECT_THROW(
      (void)settings.number("gradient_accumulation_steps"), ConfigError);
  EXPECT_THROW((void)settings.at("nothing"), InternalError);
  EXPECT_EQ(settings.number("num_processes"), 0);
}

} // namespace
} // namespace accelerate::config
