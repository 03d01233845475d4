// tests/fuzz/settings_fuzz.cpp: any lines `NAME=value` as the environment of
// the launcher.
#include <algorithm>
#include <map>
#include <sstream>

#include "accelerate/config/engine_gaps.h"
#include "accelerate/error.h"
#include "accelerate/launch/gpu_count.h"
#include "accelerate/launch/options_from_settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  std::istringstream lines(std::string(data, data + size));
  std::map<std::string, std::string> variables;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = std::min(line.find('='), line.size() - 1);
    variables[line.substr(0, equals)] = line.substr(equals + 1);
  }
  const auto lookup =
      [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt
                                    : std::optional(found->second);
  };
  try {
    const auto options = accelerate::options_from_settings(
        accelerate::config::LaunchSettings({}, {}, lookup),
        accelerate::visible_gpu_count(lookup, "/gone"));
    if (options.num_processes < 1) {
      __builtin_trap();
    }
    accelerate::config::check_engine_gaps(lookup);
  } catch (const accelerate::ConfigError&) {
  }
  return 0;
}
