// tests/fuzz/split_expression_fuzz.cpp: any text is a list of row ranges
// within the split, or a ConfigError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "accelerate/data/split_expression.h"
#include "accelerate/error.h"

extern "C" int LLVMFuzzerTestOneInput(
    const std::uint8_t* data,
    std::size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const auto& term : accelerate::data::parse_split_expression(text)) {
      const auto rows = term.resolve(1000);
      if (rows.begin < 0 || rows.begin > 1000 || rows.end < 0 ||
          rows.end > 1000) {
        std::abort();
      }
    }
  } catch (const accelerate::ConfigError&) {
  }
  return 0;
}
