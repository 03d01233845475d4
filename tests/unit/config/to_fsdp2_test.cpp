// tests/unit/config/to_fsdp2_test.cpp: what becomes of each setting.
#include "accelerate/config/to_fsdp2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accelerate/config/config_file.h"
#include "accelerate/error.h"

namespace accelerate::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Fsdp2Settings convert(const std::string& fsdp_config) {
  return to_fsdp2(
      parse_config(
          "distributed_type: FSDP\nnum_processes: 2\n" + fsdp_config, "f.yaml")
          .values);
}

std::string value_of(const Fsdp2Settings& settings, std::string_view name) {
  for (const auto& [option, value] : settings.values) {
    if (option->name == name) {
      return value;
    }
  }
  return "(none)";
}

// Source: the table of accelerate's to-fsdp2.
TEST(ToFsdp2, TurnsTheStrategyIntoReshardAfterForward) {
  const std::pair<const char*, const char*> kStrategies[] = {
      {"FULL_SHARD", "true"},
      {"HYBRID_SHARD", "true"},
      {"SHARD_GRAD_OP", "false"},
      {"HYBRID_SHARD_ZERO2", "false"},
      {"NO_SHARD", "false"}};
  for (const auto& [strategy, expected] : kStrategies) {
    for (const char* key :
         {"fsdp_sharding_strategy", "fsdp_reshard_after_forward"}) {
      const auto converted =
          convert(concat("fsdp_config:\n  ", key, ": ", strategy, '\n'));
      EXPECT_EQ(value_of(converted, "fsdp_reshard_after_forward"), expected);
      EXPECT_EQ(value_of(converted, "fsdp_sharding_strategy"), "(none)");
      EXPECT_EQ(value_of(converted, "fsdp_version"), "2");
      EXPECT_EQ(value_of(converted, "num_processes"), "2");
    }
  }
}

TEST(ToFsdp2, NamesWhatItLeavesOut) {
  const auto converted = convert(
      "fsdp_config:\n"
      "  fsdp_backward_prefetch: BACKWARD_PRE\n"
      "  fsdp_forward_prefetch: false\n"
      "  fsdp_offload_params: true\n"
      "  fsdp_sync_module_states: true\n"
      "  fsdp_use_orig_params: true\n"
      "  fsdp_version: 1\n");
  EXPECT_THAT(
      converted.notes,
      ElementsAre(
          HasSubstr("f.yaml:4: 'fsdp_backward_prefetch' has no counterpart"),
          HasSubstr("f.yaml:5: 'fsdp_forward_prefetch'"),
          HasSubstr("f.yaml:7: 'fsdp_sync_module_states'"),
          HasSubstr("f.yaml:8: 'fsdp_use_orig_params'")));
  EXPECT_EQ(value_of(converted, "fsdp_offload_params"), "true");
  EXPECT_EQ(value_of(converted, "fsdp_version"), "2");
  EXPECT_EQ(converted.values.size(), 4U);
}

TEST(ToFsdp2, ChangesNothingWhereThereIsNothingToDo) {
  const auto without = convert("");
  EXPECT_EQ(without.values.size(), 2U);
  EXPECT_THAT(without.notes, ElementsAre(HasSubstr("no fsdp_config")));
  const auto second = convert(
      "fsdp_config:\n  fsdp_version: 2\n  fsdp_use_orig_params: true\n");
  EXPECT_EQ(value_of(second, "fsdp_use_orig_params"), "true");
  EXPECT_THAT(second.notes, ElementsAre(HasSubstr("fsdp_version 2 already")));
}

} // namespace
} // namespace accelerate::config
