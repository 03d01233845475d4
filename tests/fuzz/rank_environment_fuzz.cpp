// tests/fuzz/rank_environment_fuzz.cpp: any lines `NAME=value` as an
// environment.
#include "accelerate/config/rank_environment.h"

#include <map>
#include <sstream>

#include "accelerate/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  std::istringstream lines(std::string(data, data + size));
  std::map<std::string, std::string> variables;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = std::min(line.find('='), line.size() - 1);
    variables[line.substr(0, equals)] = line.substr(equals + 1);
  }
  try {
    const auto env = accelerate::read_rank_environment(
        [&](const std::string& name) -> std::optional<std::string> {
          const auto found = variables.find(name);
          return found == variables.end() ? std::nullopt
                                          : std::optional(found->second);
        });
    if (env.global_rank >= env.world_size || env.main_port == 0 ||
        env.local_world_size > env.world_size || env.main_address.empty()) {
      __builtin_trap();
    }
  } catch (const accelerate::ConfigError&) {
  }
  return 0;
}
