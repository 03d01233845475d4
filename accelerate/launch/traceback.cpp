// accelerate/launch/traceback.cpp: recognises tracebacks by Python's own words.
#include "accelerate/launch/traceback.h"

#include <utility>

namespace accelerate::launch {
namespace {

constexpr std::string_view kHeader = "Traceback (most recent call last):";
/// A SyntaxError of the script itself comes without the header.
constexpr std::string_view kFrame = "  File \"";

std::string_view unmarked(std::string_view line) {
  constexpr std::string_view kMark = "[rank";
  if (!line.starts_with(kMark)) {
    return line;
  }
  const std::size_t end = line.find_first_not_of("0123456789", kMark.size());
  const bool is_mark = end != std::string_view::npos && end > kMark.size() &&
      line.substr(end).starts_with("]: ");
  return is_mark ? line.substr(end + 3) : line;
}

/// Cuts the first line, with its end, off `rest`.
std::string_view next_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line =
      rest.substr(0, end == std::string_view::npos ? rest.size() : end + 1);
  rest.remove_prefix(line.size());
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

bool TracebackHold::take(std::string_view line, Time now) {
  if (text_.empty()) {
    const std::string_view begin = unmarked(line);
    if (!begin.starts_with(kHeader) && !begin.starts_with(kFrame)) {
      return false;
    }
    since_ = now;
  }
  text_ += line;
  return true;
}

std::optional<TracebackHold::Time> TracebackHold::since() const {
  return text_.empty() ? std::nullopt : std::optional(since_);
}

bool TracebackHold::is_overdue(Time now) const {
  return !text_.empty() &&
      (text_.size() > kMaxBytes || now >= since_ + kMaxTime);
}

std::string TracebackHold::release() {
  return std::exchange(text_, {});
}

std::string without_rank_marks(std::string_view traceback) {
  std::string text;
  while (!traceback.empty()) {
    text += unmarked(next_line(traceback));
  }
  return text;
}

std::string exception_line(std::string_view traceback) {
  constexpr std::size_t kLongest = 200;
  std::string_view found;
  bool is_inside = false;
  while (!traceback.empty()) {
    std::string_view line = next_line(traceback);
    while (line.ends_with('\n') || line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (line.starts_with(kHeader) || line.starts_with(kFrame)) {
      is_inside = true;
    } else if (is_inside && !line.empty() && line.front() != ' ') {
      // The first line after the frames that stands at the margin.
      found = line;
      is_inside = false;
    }
  }
  return shorten(found, kLongest);
}

} // namespace accelerate::launch
