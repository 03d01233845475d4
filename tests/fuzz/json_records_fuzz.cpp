// tests/fuzz/json_records_fuzz.cpp: any bytes are a table or a ConfigError.
#include <cstddef>
#include <cstdint>
#include <string>

#include "accelerate/data/json_records_impl.h"
#include "accelerate/error.h"

extern "C" int LLVMFuzzerTestOneInput(
    const std::uint8_t* data,
    std::size_t size) {
  try {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    const auto file = accelerate::data::checked_text("fuzz", bytes);
    (void)accelerate::data::parse_json_records(file);
  } catch (const accelerate::ConfigError&) {
  }
  return 0;
}
