// accelerate/data/text_file_impl.h: a file as checked UTF-8 text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate::data {

/// Text and the name that errors call it by.
struct TextFile {
  std::string name;
  std::string text;
};

/// Reads a whole file. A byte order mark is left out.
/// @throws ConfigError when it cannot be read, is empty, or is not UTF-8 (the
///   line is named).
[[nodiscard]] ACCELERATE_API TextFile
read_text_file(const std::filesystem::path& path);

/// What read_text_file does after reading.
/// @throws ConfigError
[[nodiscard]] ACCELERATE_API TextFile
checked_text(std::string name, std::string bytes);

/// Throws ConfigError `[data.load_dataset] name:line: what`.
[[noreturn]] void
throw_at_line(std::string_view name, std::int64_t line, std::string_view what);

} // namespace accelerate::data
