// accelerate/precision/precision.h: the arithmetic a job asks for.
#pragma once

#include <optional>
#include <string_view>

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include "accelerate/api.h"
#include "accelerate/config/rank_environment.h"

namespace accelerate {

/// kFp16 and kBf16: forwards compute in that dtype where autocast finds it
/// safe; parameters and gradients stay as they are.
enum class Precision { kNo, kFp16, kBf16 };

/// Reads `no`, `fp16` or `bf16`, the words of ACCELERATE_MIXED_PRECISION.
/// @throws ConfigError for any other word, listing these.
[[nodiscard]] ACCELERATE_API Precision parse_precision(std::string_view word);
[[nodiscard]] ACCELERATE_API std::string_view to_string(Precision precision);

/// What was asked for, else ACCELERATE_MIXED_PRECISION, else kNo.
/// @throws ConfigError as parse_precision().
[[nodiscard]] ACCELERATE_API Precision resolve_precision(
    std::optional<Precision> asked,
    const EnvironmentLookup& lookup = process_environment());

/// The dtype of forwards; nothing for kNo.
[[nodiscard]] ACCELERATE_API std::optional<at::ScalarType> compute_dtype(
    Precision precision);

/// @throws ConfigError when `device` does not compute in the dtype of
///   `precision`.
ACCELERATE_API void check_precision(Precision precision, c10::Device device);

} // namespace accelerate
