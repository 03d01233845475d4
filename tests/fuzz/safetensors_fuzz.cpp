// tests/fuzz/safetensors_fuzz.cpp: any bytes as a safetensors file.
#include "accelerate/error.h"
#include "accelerate/io/safetensors_header.h"

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  try {
    const auto header = accelerate::io::parse_safetensors_header(file, "fuzz");
    for (const auto& name : header.names) {
      if (header.tensors.at(name).end_byte > size - header.data_start) {
        __builtin_trap();
      }
    }
  } catch (const accelerate::CheckpointError&) {
  }
  return 0;
}
