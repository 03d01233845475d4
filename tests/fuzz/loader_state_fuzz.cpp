// tests/fuzz/loader_state_fuzz.cpp: any text is a state that can be written and
// read again, or a ConfigError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "accelerate/data/loader_state.h"
#include "accelerate/error.h"

extern "C" int LLVMFuzzerTestOneInput(
    const std::uint8_t* data,
    std::size_t size) {
  using accelerate::DataLoaderState;
  try {
    const auto state = DataLoaderState::from_json(
        std::string(reinterpret_cast<const char*>(data), size));
    if (!(DataLoaderState::from_json(state.to_json()) == state)) {
      std::abort();
    }
  } catch (const accelerate::ConfigError&) {
  }
  return 0;
}
