// accelerate/config/engine_gaps.h: settings that the launcher hands over for
// any program and this library's own Accelerator cannot honour yet.
#pragma once

#include <string>
#include <string_view>

#include "accelerate/api.h"
#include "accelerate/config/rank_environment.h"

namespace accelerate::config {

/// @param option name of a row of the option table
/// @return why the Accelerator refuses the value; empty: it does not
[[nodiscard]] ACCELERATE_API std::string_view engine_gap(
    std::string_view option,
    std::string_view value);

/// To be called when an Accelerator is made: what was asked for and is not
/// there must not be ignored.
/// @throws ConfigError naming the variable, its value and the reason
ACCELERATE_API void check_engine_gaps(
    const EnvironmentLookup& lookup = process_environment());

} // namespace accelerate::config
