// accelerate/io/crc32c.h: the Castagnoli checksum that guards records on disk.
#pragma once

#include <cstdint>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate {

/// CRC-32C of `bytes`; with `previous` that of all bytes so far, so that
/// crc32c(ab) == crc32c(b, crc32c(a)). Thread-safety: safe.
/// Source: RFC 3720, appendix B.4
[[nodiscard]] ACCELERATE_API std::uint32_t crc32c(
    std::string_view bytes,
    std::uint32_t previous = 0);

} // namespace accelerate

namespace accelerate::io {

/// As crc32c(), without special instructions of the processor.
[[nodiscard]] ACCELERATE_API std::uint32_t crc32c_portable(
    std::string_view bytes,
    std::uint32_t previous = 0);

} // namespace accelerate::io
