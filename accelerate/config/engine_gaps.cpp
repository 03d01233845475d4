// accelerate/config/engine_gaps.cpp: one row for each.
#include "accelerate/config/engine_gaps.h"

#include "accelerate/config/parse_flag.h"
#include "accelerate/error.h"

namespace accelerate::config {
namespace {

struct Gap {
  std::string_view option;
  const char* variable;
  std::string_view reason;
};

// That of fp8 is found by the reader of ACCELERATE_MIXED_PRECISION.
constexpr Gap kGaps[] = {
    {"dynamo_backend",
     "ACCELERATE_DYNAMO_BACKEND",
     "models are not compiled yet"},
    {"use_fsdp", "ACCELERATE_USE_FSDP", "models are not sharded yet"},
    {"use_parallelism_config",
     "ACCELERATE_USE_PARALLELISM_CONFIG",
     "ranks are laid out in one dimension only so far"},
    {"use_deepspeed",
     "ACCELERATE_USE_DEEPSPEED",
     "this version does not drive DeepSpeed"},
    {"use_megatron_lm",
     "ACCELERATE_USE_MEGATRON_LM",
     "this version does not drive Megatron-LM"},
};

/// `no` and false words; anything else asks for something.
bool asks_for_nothing(std::string_view value) {
  return parse_flag(value) == false;
}

} // namespace

std::string_view engine_gap(std::string_view option, std::string_view value) {
  for (const Gap& gap : kGaps) {
    if (gap.option == option && !asks_for_nothing(value)) {
      return gap.reason;
    }
  }
  return option == "mixed_precision" && value == "fp8"
      ? std::string_view("fp8 is not supported yet")
      : std::string_view();
}

void check_engine_gaps(const EnvironmentLookup& lookup) {
  for (const Gap& gap : kGaps) {
    const std::string value = lookup(gap.variable).value_or("");
    ACCELERATE_CHECK(
        asks_for_nothing(value),
        ConfigError,
        "config.environment",
        gap.variable,
        "='",
        value,
        "', but ",
        gap.reason,
        "; leave out --",
        gap.option,
        ", or unset the variable");
  }
}

} // namespace accelerate::config
