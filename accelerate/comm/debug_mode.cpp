// accelerate/comm/debug_mode.cpp
#include "accelerate/comm/debug_mode.h"

#include "accelerate/comm/process_group_impl.h"
#include "accelerate/config/parse_flag.h"

namespace accelerate {

void set_debug_mode(const ProcessGroup& group, DebugMode mode) {
  group.impl().debug = mode;
  if (group.impl().watch) {
    group.impl().watch->show_always(mode == DebugMode::kOn);
  }
}

DebugMode debug_mode(const ProcessGroup& group) {
  return group.impl().debug;
}

DebugMode debug_mode_of(const EnvironmentLookup& lookup) {
  constexpr const char* kVariable = "ACCELERATE_DEBUG_MODE";
  const std::string word = lookup(kVariable).value_or("");
  const auto flag = config::parse_flag(word);
  ACCELERATE_CHECK(
      flag,
      ConfigError,
      "comm.debug_mode",
      kVariable,
      " is '",
      word,
      "', expected true or false");
  return *flag ? DebugMode::kOn : DebugMode::kOff;
}

} // namespace accelerate
