// accelerate/launch/line_tail.h: the last lines of a stream, in bounded memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "accelerate/api.h"

namespace accelerate::launch {

/// Remembers the end of what a rank printed, for the failure report.
class ACCELERATE_API LineTail {
 public:
  static constexpr std::size_t kMaxLines = 20;
  static constexpr std::size_t kMaxBytes = 16384;

  /// @param line with its `\n` or `\r`
  void add(std::string_view line);
  /// Up to kMaxLines lines without their ends, oldest first. Of a line longer
  /// than kMaxBytes the end is kept.
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  std::string text_;
};

} // namespace accelerate::launch
