// tests/fuzz/safetensors_fuzz.cpp: any bytes as a safetensors file.
#include "accelerate/error.h"
#include "accelerate/io/safetensors_layout.h"

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  try {
    const auto layout = accelerate::io::parse_safetensors_layout(file, "fuzz");
    for (const auto& name : layout.names) {
      if (layout.tensors.at(name).end_byte > size - layout.data_start) {
        __builtin_trap();
      }
    }
  } catch (const accelerate::CheckpointError&) {
  }
  return 0;
}
