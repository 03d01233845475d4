// tests/fuzz/model_config_fuzz.cpp: any bytes as a model's config.json.
#include "accelerate/error.h"
#include "accelerate/inspect/model_memory.h"
#include "accelerate/io/model_config.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const accelerate::test::FuzzFile file(data, size);
  try {
    const auto config = accelerate::io::read_model_config(file.path());
    (void)accelerate::inspect::activation_memory(
        config, {8, 128}, accelerate::inspect::WeightDtype::kFloat32);
  } catch (const accelerate::CheckpointError&) {
  } catch (const accelerate::ConfigError&) {
  }
  return 0;
}
