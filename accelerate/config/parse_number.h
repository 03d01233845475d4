// accelerate/config/parse_number.h: decimal numbers from variables and flags,
// without the leniency of atoi and strtol.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

namespace accelerate::config {

/// A whole text as a non-negative decimal number; nullopt for signs, spaces,
/// other characters, no digits, or a value that does not fit.
template <std::integral T>
[[nodiscard]] std::optional<T> parse_number(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || text.front() == '-' || error != std::errc{} ||
      stop != end) {
    return std::nullopt;
  }
  return value;
}

} // namespace accelerate::config
