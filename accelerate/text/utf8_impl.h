// accelerate/text/utf8_impl.h: UTF-8 in and out, one code point at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace accelerate::text {

/// Stands for what is no UTF-8.
inline constexpr char32_t kReplacement = 0xFFFD;

/// Reads one code point and moves `at` behind it. Invalid bytes give U+FFFD
/// once per maximal subpart, as bytes.decode(errors="replace") does in Python.
/// @param at not equal to `end`
/// Source: the Unicode Standard 15, section 3.9, table 3-7.
inline char32_t decode_utf8(const char*& at, const char* end) {
  const auto first = static_cast<std::uint8_t>(*at++);
  if (first < 0x80) {
    return first;
  }
  if (first < 0xC2 || first > 0xF4) {
    return kReplacement;
  }
  const int continuations = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
  // The second byte's bounds exclude overlong forms, surrogates and everything
  // above U+10FFFF.
  std::uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  std::uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  char32_t code_point = first & (0x3Fu >> continuations);
  for (int i = 0; i < continuations; ++i) {
    const auto next =
        at == end ? std::uint8_t{0} : static_cast<std::uint8_t>(*at);
    if (next < low || next > high) {
      return kReplacement;
    }
    code_point = (code_point << 6) | (next & 0x3Fu);
    ++at;
    low = 0x80;
    high = 0xBF;
  }
  return code_point;
}

/// Writes a code point; returns the end of what was written (1 to 4 bytes).
inline char* encode_utf8(char32_t c, char* out) {
  const auto put = [&](char32_t byte) { *out++ = static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
  return out;
}

inline std::u32string to_utf32(std::string_view text) {
  std::u32string result;
  result.reserve(text.size());
  for (const char *at = text.data(), *end = at + text.size(); at != end;) {
    result += decode_utf8(at, end);
  }
  return result;
}

inline std::string to_utf8(std::u32string_view text) {
  std::string result;
  char bytes[4];
  for (const char32_t c : text) {
    result.append(bytes, encode_utf8(c, bytes));
  }
  return result;
}

/// Whether every byte belongs to a well-formed code point.
inline bool is_utf8(std::string_view text) {
  for (const char *at = text.data(), *end = at + text.size(); at != end;) {
    const char* start = at;
    if (decode_utf8(at, end) == kReplacement &&
        std::string_view(start, at) != "\xEF\xBF\xBD") {
      return false;
    }
  }
  return true;
}

} // namespace accelerate::text
