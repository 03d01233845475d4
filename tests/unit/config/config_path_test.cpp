// tests/unit/config/config_path_test.cpp: which variable decides.
#include "accelerate/config/config_path.h"

#include <gtest/gtest.h>

#include <map>

namespace accelerate::config {
namespace {

EnvironmentLookup with(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](
             const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt
                                    : std::optional(found->second);
  };
}

TEST(ConfigPath, IsWhereTheVariablesSay) {
  EXPECT_EQ(huggingface_home(with({{"HOME", "/u"}})), "/u/.cache/huggingface");
  EXPECT_EQ(
      huggingface_home(with({{"HOME", "/u"}, {"XDG_CACHE_HOME", "/x"}})),
      "/x/huggingface");
  EXPECT_EQ(
      huggingface_home(with({{"HF_HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}})),
      "/h");
  EXPECT_EQ(
      huggingface_home(with({{"HOME", "/u"}, {"HF_HOME", "~/hf"}})), "/u/hf");
  EXPECT_EQ(
      huggingface_home(with({{"HOME", "/u"}, {"HF_HOME", ""}})),
      "/u/.cache/huggingface");
}

TEST(ConfigPath, OfTheConfigurationIsInThatFolder) {
  EXPECT_EQ(
      default_config_path(with({{"HF_HOME", "/h"}})),
      "/h/accelerate/default_config.yaml");
}

} // namespace
} // namespace accelerate::config
