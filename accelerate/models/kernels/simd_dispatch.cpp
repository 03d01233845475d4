// accelerate/models/kernels/simd_dispatch.cpp: chooses the loops that this
// processor can run.
#include "accelerate/models/kernels/simd_impl.h"

#include "accelerate/error.h"

#include <cstdlib>
#include <string_view>

namespace accelerate::models {
namespace {

bool is_runnable(const SimdKernels& kernels) {
#if defined(ACCELERATE_SIMD_X86)
  const std::string_view name = kernels.name;
  __builtin_cpu_init();
  if (name == "avx512") {
    return __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2");
  }
  if (name == "avx2") {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  }
#else
  (void)kernels;
#endif
  return true;
}

const SimdKernels& choose() {
  const char* value = std::getenv("ACCELERATE_SIMD");
  const std::string_view wanted = value == nullptr ? "" : value;
  for (const SimdKernels* kernels : {
#if defined(ACCELERATE_SIMD_X86)
         &avx512::kernels(), &avx2::kernels(),
#endif
             &baseline::kernels()
       }) {
    if (is_runnable(*kernels) && (wanted.empty() || wanted == kernels->name)) {
      return *kernels;
    }
  }
  throw ConfigError(error_message(
      "models.kernels",
      concat(
          "ACCELERATE_SIMD is '",
          wanted,
          "', expected an instruction set of this processor: avx512, avx2 or "
          "baseline")));
}

} // namespace

const SimdKernels& simd_kernels() {
  static const SimdKernels& chosen = choose();
  return chosen;
}

} // namespace accelerate::models
