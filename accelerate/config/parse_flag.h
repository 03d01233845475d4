// accelerate/config/parse_flag.h: yes and no from variables, in the words that
// the Python library takes.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace accelerate::config {

/// Upper case counts as lower case; empty is false; nullopt for other words.
/// Source: accelerate.utils.str_to_bool
[[nodiscard]] inline std::optional<bool> parse_flag(std::string_view text) {
  std::string word(text);
  std::transform(word.begin(), word.end(), word.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  constexpr std::array<std::string_view, 6> kTrue{
      "1", "true", "yes", "y", "t", "on"};
  constexpr std::array<std::string_view, 7> kFalse{
      "", "0", "false", "no", "n", "f", "off"};
  if (std::find(kTrue.begin(), kTrue.end(), word) != kTrue.end()) {
    return true;
  }
  return std::find(kFalse.begin(), kFalse.end(), word) != kFalse.end()
      ? std::optional(false)
      : std::nullopt;
}

} // namespace accelerate::config
