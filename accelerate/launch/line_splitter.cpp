// accelerate/launch/line_splitter.cpp: finds line ends; copies only lines that
// arrive in pieces.
#include "accelerate/launch/line_splitter.h"

namespace accelerate::launch {

void LineSplitter::hand_out(std::string_view line, const OnLine& on_line)
    const {
  if (mode_ == CarriageReturn::kOverwrites && line.size() >= 2) {
    // Not the one in "\r\n".
    const std::size_t last = line.rfind('\r', line.size() - 3);
    if (line.size() >= 3 && last != std::string_view::npos) {
      line.remove_prefix(last + 1);
    }
  }
  on_line(line);
}

void LineSplitter::feed(std::string_view bytes, const OnLine& on_line) {
  const std::string_view ends =
      mode_ == CarriageReturn::kEndsPiece ? "\n\r" : "\n";
  while (!bytes.empty()) {
    const std::size_t end = bytes.find_first_of(ends);
    const bool is_complete = end != std::string_view::npos;
    const std::string_view piece =
        bytes.substr(0, is_complete ? end + 1 : bytes.size());
    bytes.remove_prefix(piece.size());
    if (is_complete && partial_.empty()) {
      hand_out(piece, on_line);
      continue;
    }
    partial_ += piece;
    if (is_complete) {
      hand_out(partial_, on_line);
      partial_.clear();
    } else if (partial_.size() >= kMaxLine) {
      finish(on_line);
    }
  }
}

void LineSplitter::finish(const OnLine& on_line) {
  if (!partial_.empty()) {
    partial_ += '\n';
    hand_out(partial_, on_line);
    partial_.clear();
  }
}

} // namespace accelerate::launch
