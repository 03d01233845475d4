// accelerate/launch/line_tail.cpp: one string, trimmed when it has doubled.
#include "accelerate/launch/line_tail.h"

#include <algorithm>

namespace accelerate::launch {

void LineTail::add(std::string_view line) {
  if (line.size() > kMaxBytes) {
    line.remove_prefix(line.size() - kMaxBytes);
  }
  // A progress bar draws over itself: only its last state is a line.
  if (!text_.empty() && text_.back() == '\r') {
    const std::size_t previous = text_.find_last_of("\r\n", text_.size() - 2);
    text_.resize(
        text_.size() < 2 || previous == std::string::npos ? 0 : previous + 1);
  }
  text_ += line;
  if (text_.size() > 2 * kMaxBytes) {
    text_.erase(0, text_.size() - kMaxBytes);
  }
}

std::vector<std::string> LineTail::lines() const {
  std::vector<std::string> lines;
  std::string_view rest = text_;
  while (!rest.empty() && lines.size() < kMaxLines) {
    while (!rest.empty() && (rest.back() == '\n' || rest.back() == '\r')) {
      rest.remove_suffix(1);
      if (!rest.empty() && rest.back() == '\n') {
        break; // an empty line of its own
      }
    }
    const std::size_t before = rest.find_last_of("\n\r");
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    lines.emplace_back(rest.substr(begin));
    rest = rest.substr(0, begin);
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

} // namespace accelerate::launch
