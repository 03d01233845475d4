// accelerate/config/to_fsdp2.cpp: settings of the first version of FSDP as
// those of the second.
#include "accelerate/config/to_fsdp2.h"

#include <algorithm>
#include <string_view>

#include "accelerate/error.h"

namespace accelerate::config {
namespace {

constexpr std::string_view kLeftOut[] = {
    "fsdp_backward_prefetch",
    "fsdp_forward_prefetch",
    "fsdp_sync_module_states",
    "fsdp_use_orig_params"};

bool is_fsdp(const LaunchOption& option) {
  return option.key.starts_with("fsdp_config.");
}

/// The value of a strategy; others are returned as they are.
std::string reshard_after_forward(const std::string& value) {
  if (value == "FULL_SHARD" || value == "HYBRID_SHARD") {
    return "true";
  }
  const bool is_strategy = value == "SHARD_GRAD_OP" ||
      value == "HYBRID_SHARD_ZERO2" || value == "NO_SHARD";
  return is_strategy ? "false" : value;
}

void set(ConfigValues& values, std::string_view name, std::string value) {
  const LaunchOption* option = find_launch_option(name);
  const auto known =
      std::find_if(values.begin(), values.end(), [&](const auto& entry) {
        return entry.first == option;
      });
  if (known == values.end()) {
    values.emplace_back(option, std::move(value));
  } else {
    known->second = std::move(value);
  }
}

/// Why there is nothing to do; empty: there is.
std::string nothing_to_do(const std::vector<GivenValue>& values) {
  const bool has_fsdp =
      std::any_of(values.begin(), values.end(), [](const GivenValue& given) {
        return is_fsdp(*given.option);
      });
  if (!has_fsdp) {
    return "it has no fsdp_config; nothing was converted";
  }
  for (const GivenValue& given : values) {
    if (given.option->name == "fsdp_version" && given.value == "2") {
      return concat(
          given.place, " says fsdp_version 2 already; nothing was converted");
    }
  }
  return "";
}

} // namespace

Fsdp2Settings to_fsdp2(const std::vector<GivenValue>& values) {
  Fsdp2Settings result;
  const std::string reason = nothing_to_do(values);
  for (const GivenValue& given : values) {
    const std::string_view name = given.option->name;
    const bool is_left_out =
        std::find(std::begin(kLeftOut), std::end(kLeftOut), name) !=
        std::end(kLeftOut);
    if (!reason.empty()) {
      result.values.emplace_back(given.option, given.value);
    } else if (is_left_out) {
      result.notes.push_back(concat(
          given.place, ": '", name, "' has no counterpart and was left out"));
    } else if (
        name == "fsdp_sharding_strategy" ||
        name == "fsdp_reshard_after_forward") {
      set(result.values,
          "fsdp_reshard_after_forward",
          reshard_after_forward(given.value));
    } else {
      set(result.values, name, given.value);
    }
  }
  if (reason.empty()) {
    set(result.values, "fsdp_version", "2");
  } else {
    result.notes.push_back(reason);
  }
  return result;
}

} // namespace accelerate::config
