// tests/fuzz/csv_fuzz.cpp: any bytes are a table or a ConfigError.
#include <cstddef>
#include <cstdint>
#include <string>

#include "accelerate/data/csv_impl.h"
#include "accelerate/error.h"

extern "C" int LLVMFuzzerTestOneInput(
    const std::uint8_t* data,
    std::size_t size) {
  try {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    const auto file = accelerate::data::checked_text("fuzz", bytes);
    (void)accelerate::data::infer_types(accelerate::data::parse_csv(file, {}));
  } catch (const accelerate::ConfigError&) {
  }
  return 0;
}
