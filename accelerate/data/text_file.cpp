// accelerate/data/text_file.cpp: reading and checking text.
#include "accelerate/data/text_file_impl.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <sstream>
#include <utility>

#include "accelerate/error.h"

namespace accelerate::data {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_continuation(unsigned char byte) {
  return (byte & 0xc0) == 0x80;
}

/// Length of the well-formed sequence that starts at `at`, 0 when there is
/// none. Source: Unicode 15, table 3-7.
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t offset) {
    return at + offset < text.size()
        ? static_cast<unsigned char>(text[at + offset])
        : static_cast<unsigned char>(0);
  };
  const unsigned char first = byte(0);
  const unsigned char second = byte(1);
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xc2 && first <= 0xdf) {
    return is_continuation(second) ? 2 : 0;
  }
  if (first >= 0xe0 && first <= 0xef) {
    // No overlong forms, no surrogates.
    const bool is_valid = is_continuation(second) &&
        (first != 0xe0 || second >= 0xa0) && (first != 0xed || second < 0xa0);
    return is_valid && is_continuation(byte(2)) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    // No overlong forms, nothing beyond U+10FFFF.
    const bool is_valid = is_continuation(second) &&
        (first != 0xf0 || second >= 0x90) && (first != 0xf4 || second < 0x90);
    return is_valid && is_continuation(byte(2)) && is_continuation(byte(3)) ? 4
                                                                            : 0;
  }
  return 0;
}

std::string hexadecimal(char byte) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(byte);
  return {'0', 'x', kDigits[value >> 4], kDigits[value & 15]};
}

void check_utf8(std::string_view name, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence_length(text, at);
    if (length == 0) {
      const auto line = 1 +
          std::count(text.begin(),
                     text.begin() + static_cast<std::ptrdiff_t>(at),
                     '\n');
      throw_at_line(
          name,
          line,
          concat(
              "byte ",
              hexadecimal(text[at]),
              " is not UTF-8; convert the file first"));
    }
    at += length;
  }
}

} // namespace

void throw_at_line(
    std::string_view name,
    std::int64_t line,
    std::string_view what) {
  throw ConfigError(
      error_message("data.load_dataset", concat(name, ':', line, ": ", what)));
}

TextFile checked_text(std::string name, std::string bytes) {
  if (std::string_view(bytes).starts_with(kByteOrderMark)) {
    bytes.erase(0, kByteOrderMark.size());
  }
  ACCELERATE_CHECK(
      !bytes.empty(),
      ConfigError,
      "data.load_dataset",
      "'",
      name,
      "' is empty");
  check_utf8(name, bytes);
  return {.name = std::move(name), .text = std::move(bytes)};
}

TextFile read_text_file(const std::filesystem::path& path) {
  // A directory can be opened, but not read.
  std::error_code error;
  const bool is_directory = std::filesystem::is_directory(path, error);
  errno = is_directory ? EISDIR : 0;
  std::ifstream file;
  if (!is_directory) {
    file.open(path, std::ios::binary);
  }
  ACCELERATE_CHECK(
      file.is_open(),
      ConfigError,
      "data.load_dataset",
      "cannot read '",
      path.string(),
      "': ",
      describe_errno(errno));
  std::ostringstream content;
  if (file.peek() != std::ifstream::traits_type::eof()) {
    content << file.rdbuf();
  }
  ACCELERATE_CHECK(
      !file.bad() && !content.fail(),
      ConfigError,
      "data.load_dataset",
      "reading '",
      path.string(),
      "' failed: ",
      describe_errno(errno));
  return checked_text(path.string(), std::move(content).str());
}

} // namespace accelerate::data
