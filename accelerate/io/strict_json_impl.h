// accelerate/io/strict_json_impl.h: JSON from files that nobody vouches for.
#pragma once

#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

#include "accelerate/api.h"

namespace accelerate::io {

/// Parses `text`. Zero bytes and brackets nested deeper than `max_depth` are
/// refused before the parser starts, and so are keys that occur twice in one
/// object.
/// @throws std::runtime_error saying what is wrong and at which byte
[[nodiscard]] ACCELERATE_API nlohmann::json parse_strict_json(
    std::string_view text,
    std::size_t max_depth);

} // namespace accelerate::io
