// accelerate/precision/precision.h: the arithmetic a job asks for.
#pragma once

#include <string_view>

#include "accelerate/api.h"

namespace accelerate {

enum class Precision { kNo, kFp16, kBf16 };

/// Reads `no`, `fp16` or `bf16`, the words of ACCELERATE_MIXED_PRECISION.
/// @throws ConfigError for any other word, listing these.
[[nodiscard]] ACCELERATE_API Precision parse_precision(std::string_view word);
[[nodiscard]] ACCELERATE_API std::string_view to_string(Precision precision);

} // namespace accelerate
