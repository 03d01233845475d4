// accelerate/launch/traceback.cpp: recognises tracebacks by Python's own words.
#include "accelerate/launch/traceback.h"

namespace accelerate::launch {
namespace {

constexpr std::string_view kHeader = "Traceback (most recent call last):";
constexpr std::string_view kFrame = "  File \"";

/// Cuts the first line, with its end, off `rest`.
std::string_view next_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line =
      rest.substr(0, end == std::string_view::npos ? rest.size() : end + 1);
  rest.remove_prefix(line.size());
  return line;
}

std::string_view without_end(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  return line;
}

/// Never cuts inside a character of UTF-8.
std::string shorten(std::string_view text, std::size_t most) {
  if (text.size() <= most) {
    return std::string(text);
  }
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) {
    --most;
  }
  return std::string(text.substr(0, most)) + "…";
}

} // namespace

bool begins_traceback(std::string_view line) {
  const std::string_view begin = without_rank_mark(line);
  return begin.starts_with(kHeader) || begin.starts_with(kFrame);
}

bool announces_ignored(std::string_view line) {
  const std::string_view begin = without_rank_mark(line);
  return begin.starts_with("Exception ignored ") ||
      begin.starts_with("Error in atexit.");
}

bool is_at_margin(std::string_view line) {
  const std::string_view text = without_end(without_rank_mark(line));
  return !text.empty() && text.front() != ' ';
}

std::string_view without_rank_mark(std::string_view line) {
  constexpr std::string_view kMark = "[rank";
  if (!line.starts_with(kMark)) {
    return line;
  }
  const std::size_t end = line.find_first_not_of("0123456789", kMark.size());
  const bool is_mark = end != std::string_view::npos && end > kMark.size() &&
      line.substr(end).starts_with("]: ");
  return is_mark ? line.substr(end + 3) : line;
}

std::string without_rank_marks(std::string_view text) {
  std::string bare;
  while (!text.empty()) {
    bare += without_rank_mark(next_line(text));
  }
  return bare;
}

std::string exception_line(std::string_view traceback) {
  constexpr std::size_t kLongest = 200;
  std::string_view found;
  bool is_inside = false;
  while (!traceback.empty()) {
    const std::string_view line = next_line(traceback);
    if (announces_ignored(line)) {
      break; // by something that ended with the interpreter
    }
    if (begins_traceback(line)) {
      is_inside = true;
    } else if (is_inside && is_at_margin(line)) {
      // The first line after the frames that stands at the margin.
      found = without_end(without_rank_mark(line));
      is_inside = false;
    }
  }
  return shorten(found, kLongest);
}

std::string first_sentence(std::string_view exception) {
  // Not in `e.g. this`: a sentence begins with a capital.
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  for (std::size_t i = 0; i + 2 < exception.size(); ++i) {
    const char end = exception[i];
    if ((end == '.' || end == '!' || end == '?') && exception[i + 1] == ' ' &&
        is_capital(exception[i + 2])) {
      return std::string(exception.substr(0, i + 1));
    }
  }
  return std::string(exception);
}

} // namespace accelerate::launch
