// tests/unit/config/config_file_test.cpp: mistakes with their lines first; then
// files of the original and what it hands over for them.
#include "accelerate/config/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "accelerate/config/config_path.h"
#include "accelerate/error.h"
#include "accelerate/launch/options_from_settings.h"
#include "tests/support/temp_dir.h"

namespace accelerate::config {
namespace {

using testing::HasSubstr;

std::string complaint(const std::string& text) {
  try {
    (void)parse_config(text, "f.yaml");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "none";
}

EnvironmentLookup nothing() {
  return [](const std::string&) { return std::optional<std::string>(); };
}

TEST(ConfigFile, NamesLineAndKeyOfWhatIsWrong) {
  const std::string type = "distributed_type: NO\n";
  const std::pair<std::string, const char*> rows[] = {
      {"", "f.yaml:1: expected lines such as"},
      {"- a\n", "f.yaml:1: expected lines such as"},
      {"a", "f.yaml:1: expected lines such as"},
      {"a: [1\n", "is no YAML"},
      {"a: b: c\n", "f.yaml:1: is no YAML"},
      {type + "---\na: b\n", "f.yaml:2: a second document begins"},
      {"---\n" + type + "...\n", "f.yaml:3: a second document begins"},
      {"num_processes: 2\n", "'distributed_type' is missing"},
      {"distributed_type: null\n", "'distributed_type' is missing"},
      {"distributed_type: ''\n", "'distributed_type' is missing"},
      {type + "mixed_precison: no\n",
       "f.yaml:2: unknown key 'mixed_precison'; did you mean "
       "'mixed_precision'?"},
      {type + "fsdp_confg:\n  fsdp_version: 1\n",
       "unknown key 'fsdp_confg'; did you mean 'fsdp_config'?"},
      {type + "fsdp_config:\n  fsdp_versoin: 1\n",
       "f.yaml:3: unknown key 'fsdp_versoin' in fsdp_config; did you mean "
       "'fsdp_version'?"},
      {type + "parallelism_config:\n  tp_size: 1\n", "f.yaml:3: unknown key"},
      {type + "zzz: 1\n", "f.yaml:2: unknown key 'zzz'"},
      {type + "debug: true\ndebug: false\n",
       "f.yaml:3: the key 'debug' is there twice, first in line 2"},
      {type + "fsdp_config: {}\nfsdp_config: {}\n", "is there twice"},
      {type + "fsdp_config:\n  fsdp_version: 1\n  version: 2\n",
       "'version' says again what f.yaml:3 says"},
      {type + "fsdp_config: 3\n", "unknown key 'fsdp_config'"},
      {type + "debug:\n  a:\n    b: 1\n",
       "f.yaml:3: debug: expected a value, got a map"},
      {type + "fsdp_config:\n  fsdp_version:\n    a: 1\n",
       "'fsdp_version' expected a value, got a map"},
      {type + "num_processes: 0\n",
       "f.yaml:2: num_processes: '0': expected a number from 1 to 1024"},
      {type + "num_processes: [2, 3]\n", "num_processes: '2,3'"},
      {type + "use_cpu: maybe\n", "use_cpu: 'maybe': expected true or false"},
      {type + "[a]: 1\n", "a key is no word"},
      {"distributed_type: DEEPSPEED\n", "does not drive DeepSpeed"},
      {"distributed_type: MULTI_XPU\n", "CPUs and on GPUs with CUDA"},
      {"distributed_type: WORSE\n", "expected NO, MULTI_CPU"},
      {"ec2_instance_type: x\ncompute_environment: AMAZON_SAGEMAKER\n",
       "f.yaml:2: compute_environment: 'AMAZON_SAGEMAKER': this version does "
       "not start jobs on Amazon SageMaker"},
      {type + "deepspeed_config:\n  zero_stage: 2\n",
       "deepspeed_config: this version does not drive DeepSpeed"},
      {type + "tpu_use_cluster: true\n", "TPUs need torch_xla"},
      {type + "num_machines: 2\n", "f.yaml:2: num_machines: '2': "},
      {type + "fp16: perhaps\n", "fp16: expected true or false"}};
  for (const auto& [text, expected] : rows) {
    EXPECT_THAT(complaint(text), HasSubstr(expected)) << text;
    EXPECT_EQ(complaint(text).find('\n'), std::string::npos) << text;
  }
}

TEST(ConfigFile, IsBoundedBeforeItIsParsed) {
  EXPECT_THAT(
      complaint(std::string(70'000, ' ')), HasSubstr("has 70000 bytes"));
  EXPECT_THAT(
      complaint("a: " + std::string(1000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(
      complaint("a: " + std::string(1000, '{')), HasSubstr("nested deeper"));
  std::string dashes;
  for (int i = 0; i < 1000; ++i) {
    dashes += "- ";
  }
  EXPECT_THAT(complaint("a:\n" + dashes), HasSubstr("f.yaml:2: is nested"));
  EXPECT_THAT(complaint(std::string("a: \0", 4)), HasSubstr("a zero byte"));
}

TEST(ConfigFile, UnderstandsOlderAndOtherNames) {
  const ConfigFile file = parse_config(
      "distributed_type: NO\nfp16: true\ndynamo_backend: INDUCTOR\n"
      "fsdp_config:\n  version: 2\n"
      "fp8_config:\n  amax_history_length: 16\n  optimization_level: O1\n"
      "num_processes: -1\ntpu_env: []\ndeepspeed_config: {}\n"
      "main_process_ip: null\n",
      "f.yaml");
  std::map<std::string, std::string> values;
  for (const GivenValue& given : file.values) {
    values[std::string(given.option->name)] = given.value + " " + given.place;
  }
  const std::map<std::string, std::string> expected{
      {"distributed_type", "NO f.yaml:1"},
      {"mixed_precision", "fp16 f.yaml:2"},
      {"dynamo_backend", "INDUCTOR f.yaml:3"},
      {"fsdp_version", "2 f.yaml:5"},
      {"fp8_amax_history_len", "16 f.yaml:7"},
      {"fp8_opt_level", "O1 f.yaml:8"}};
  EXPECT_EQ(values, expected);
  EXPECT_EQ(complaint("# x\n\n--- \ndistributed_type: NO\n"), "none");
  // The newer key wins; an unquoted no is no word but false to YAML.
  const ConfigFile newer = parse_config(
      "distributed_type: no\nfp16: true\nmixed_precision: no\n", "f");
  EXPECT_EQ(newer.values.size(), 2U);
  EXPECT_EQ(newer.values[0].value, "NO");
  EXPECT_EQ(newer.values[1].value, "no");
}

TEST(ConfigFile, IsTheNamedOneOrTheDefaultOne) {
  test::TempDir dir;
  const EnvironmentLookup environment =
      [&](const std::string& name) -> std::optional<std::string> {
    return name == "HF_HOME" ? std::optional(dir.path().string())
                             : std::nullopt;
  };
  EXPECT_EQ(load_chosen_config({}, environment).path, "");
  EXPECT_THROW(
      load_chosen_config({.named = dir / "gone.yaml"}, environment),
      ConfigError);
  EXPECT_THROW(
      load_chosen_config({.named = dir.path()}, environment), ConfigError);
  const std::string path = default_config_path(environment);
  std::filesystem::create_directories(
      std::filesystem::path(path).parent_path());
  std::ofstream(path) << "distributed_type: NO\n";
  EXPECT_EQ(load_chosen_config({}, environment).path, path);
  EXPECT_EQ(load_chosen_config({.uses_default = false}, environment).path, "");
  std::ofstream(dir / "big.yaml") << std::string(100'000, '#');
  EXPECT_THROW(load_config(dir / "big.yaml"), ConfigError);
}

std::string folder() {
  return ACCELERATE_TEST_DATA "/unit/config/golden/original/";
}

nlohmann::json golden() {
  return nlohmann::json::parse(std::ifstream(folder() + "environment.json"));
}

/// What we hand over on purpose in another way; docs/differences.md.
void adjust(std::map<std::string, std::string>& expected, int num_processes) {
  if (num_processes > 1) {
    expected.erase("KMP_AFFINITY");
    expected.erase("KMP_BLOCKTIME");
  }
  for (const auto& [other, own] :
       {std::pair{
            "ACCELERATE_FP8_AMAX_HISTORY_LENGTH",
            "ACCELERATE_FP8_AMAX_HISTORY_LEN"},
        {"ACCELERATE_FP8_AMAX_COMPUTE_ALGORITHM",
         "ACCELERATE_FP8_AMAX_COMPUTE_ALGO"}}) {
    if (const auto found = expected.find(other); found != expected.end()) {
      expected[own] = found->second;
      expected.erase(found);
    }
  }
  for (auto& [name, value] : expected) {
    if (name.starts_with("ACCELERATE_FP8_") &&
        name.find("OVERRIDE") == std::string::npos) {
      const bool is_flag = name.ends_with("GATHER") || name.ends_with("DIM");
      value = is_flag && value == "1" ? "True" : value;
    }
  }
}

TEST(ConfigFile, OfTheOriginalGivesRanksTheSameEnvironment) {
  const auto document = golden();
  ASSERT_GE(document["setups"].size(), 20U);
  for (const auto& setup : document["setups"]) {
    const std::string name = setup["file"];
    const ConfigFile file = load_config(folder() + name);
    const LaunchSettings settings({}, file.values, nothing());
    const LaunchOptions options = options_from_settings(settings, 0);
    auto expected =
        setup["environment"].get<std::map<std::string, std::string>>();
    adjust(expected, options.num_processes);
    if (settings.is_on("enable_cpu_affinity")) {
      // The original's own default shadows what its file says.
      expected["ACCELERATE_CPU_AFFINITY"] = "1";
    }
    EXPECT_EQ(options.environment, expected) << name;
  }
}

TEST(ConfigFile, OfTheOriginalIsRefusedWhereItAsksForWhatIsMissing) {
  const auto document = golden();
  ASSERT_FALSE(document["refused"].empty());
  for (const std::string name : document["refused"]) {
    EXPECT_THROW(load_config(folder() + name), ConfigError) << name;
  }
}

} // namespace
} // namespace accelerate::config
