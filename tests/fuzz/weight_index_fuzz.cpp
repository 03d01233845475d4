// tests/fuzz/weight_index_fuzz.cpp: any bytes as an index of shards.
#include "accelerate/error.h"
#include "accelerate/io/weight_index.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const accelerate::test::FuzzFile file(data, size);
  try {
    for (const auto& [tensor, name] :
         accelerate::io::read_weight_map(file.path())) {
      if (name.find('/') != std::string::npos) {
        __builtin_trap();
      }
    }
  } catch (const accelerate::CheckpointError&) {
  }
  return 0;
}
