// tests/fuzz/config_file_fuzz.cpp: any bytes as a configuration file; what is
// accepted is written and read again.
#include "accelerate/config/config_file.h"

#include "accelerate/config/config_file_text.h"
#include "accelerate/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  using namespace accelerate::config;
  ConfigFile file;
  try {
    file = parse_config(std::string(data, data + size), "f");
  } catch (const accelerate::ConfigError&) {
    return 0;
  }
  ConfigValues values;
  for (const GivenValue& given : file.values) {
    values.emplace_back(given.option, given.value);
  }
  for (const ConfigSyntax syntax : {ConfigSyntax::kYaml, ConfigSyntax::kJson}) {
    if (parse_config(write_config(values, syntax), "f").values.size() !=
        values.size()) {
      __builtin_trap();
    }
  }
  return 0;
}
