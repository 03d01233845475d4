// accelerate/launch/error_file.h: what torch's @record leaves when a rank
// raises.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate::launch {

/// The exception in a file of torch's: `{"message": {"message": "ValueError:
/// x", …}}` or `{"message": "…"}`.
/// @return its first line, at most 500 bytes; empty for any other text
[[nodiscard]] ACCELERATE_API std::string error_message_in(
    std::string_view text);

/// The same of a file; empty when there is none. Reads 1 MiB at most.
[[nodiscard]] ACCELERATE_API std::string read_error_file(
    const std::filesystem::path& path);

} // namespace accelerate::launch
