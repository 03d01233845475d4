// tests/unit/config/config_file_text_test.cpp: files that cannot be written,
// words that YAML takes for something else, and that we read what we write.
#include "accelerate/config/config_file_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "accelerate/config/config_file.h"
#include "accelerate/error.h"
#include "tests/support/temp_dir.h"

namespace accelerate::config {
namespace {

ConfigValues values_of(
    const std::vector<std::pair<const char*, const char*>>& words) {
  ConfigValues values;
  for (const auto& [name, value] : words) {
    values.emplace_back(find_launch_option(name), value);
  }
  return values;
}

const ConfigValues kValues = values_of(
    {{"mixed_precision", "no"},
     {"distributed_type", "FSDP"},
     {"cpu", "True"},
     {"num_processes", "2"},
     {"gpu_ids", "0"},
     {"fsdp_version", "2"},
     {"fsdp_transformer_layer_cls_to_wrap", "A, \"B\"\\"},
     {"fsdp_offload_params", "no"},
     {"rdzv_backend", "static"}});

TEST(ConfigFileText, QuotesWhatYamlWouldTakeForSomethingElse) {
  EXPECT_EQ(
      write_config(kValues, ConfigSyntax::kYaml),
      "distributed_type: FSDP\n"
      "fsdp_config:\n"
      "  fsdp_offload_params: false\n"
      "  fsdp_transformer_layer_cls_to_wrap: \"A, \\\"B\\\"\\\\\"\n"
      "  fsdp_version: 2\n"
      "gpu_ids: \"0\"\n"
      "mixed_precision: \"no\"\n"
      "num_processes: 2\n"
      "rdzv_backend: static\n"
      "use_cpu: true\n");
  const auto json =
      nlohmann::json::parse(write_config(kValues, ConfigSyntax::kJson));
  EXPECT_EQ(json["fsdp_config"]["fsdp_version"], 2);
  EXPECT_EQ(json["use_cpu"], true);
  EXPECT_EQ(json["gpu_ids"], "0");
}

TEST(ConfigFileText, IsReadBack) {
  for (const ConfigSyntax syntax : {ConfigSyntax::kYaml, ConfigSyntax::kJson}) {
    const ConfigFile file = parse_config(write_config(kValues, syntax), "f");
    const LaunchSettings settings({}, file.values, [](const std::string&) {
      return std::optional<std::string>();
    });
    EXPECT_EQ(settings.text("mixed_precision"), "no");
    EXPECT_EQ(settings.text("gpu_ids"), "0");
    EXPECT_EQ(settings.number("num_processes"), 2);
    EXPECT_TRUE(settings.is_on("cpu"));
    EXPECT_EQ(
        settings.text("fsdp_transformer_layer_cls_to_wrap"), "A, \"B\"\\");
  }
}

TEST(ConfigFileText, ReplacesAFileAsAWholeOrNotAtAll) {
  test::TempDir dir;
  const std::string path = dir / "new/folder/config.json";
  save_config(path, kValues);
  EXPECT_EQ(load_config(path).values.size(), 8U);
  save_config(path, values_of({{"distributed_type", "NO"}}));
  EXPECT_EQ(load_config(path).values.size(), 1U);
  // Nothing else is left behind.
  const auto folder = std::filesystem::directory_iterator(dir / "new/folder");
  EXPECT_EQ(std::distance(begin(folder), end(folder)), 1);
  EXPECT_THROW(save_config("/dev/null/x/config.yaml", kValues), ConfigError);
  EXPECT_THROW(save_config("/proc/config.yaml", kValues), ConfigError);
  // A folder in the way: the new file does not stay beside it.
  std::filesystem::create_directories(dir / "taken/config.yaml/x");
  EXPECT_THROW(save_config(dir / "taken/config.yaml", kValues), ConfigError);
  const auto taken = std::filesystem::directory_iterator(dir / "taken");
  EXPECT_EQ(std::distance(begin(taken), end(taken)), 1);
}

} // namespace
} // namespace accelerate::config
