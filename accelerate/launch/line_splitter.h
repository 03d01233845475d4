// accelerate/launch/line_splitter.h: cuts a byte stream into lines that can be
// passed on whole.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate::launch {

/// Collects bytes and hands out complete lines.
class ACCELERATE_API LineSplitter {
 public:
  /// What a carriage return inside a line means.
  enum class CarriageReturn {
    kEndsPiece, ///< hand out what was there, as progress bars expect
    kOverwrites, ///< only what follows the last one would be seen
  };
  /// Longer lines are cut, so that memory stays bounded.
  static constexpr std::size_t kMaxLine = std::size_t{1} << 20;

  using OnLine = std::function<void(std::string_view line)>;

  explicit LineSplitter(CarriageReturn mode) : mode_(mode) {}

  /// Calls `on_line` for each line completed by `bytes`, its final `\n` (or
  /// `\r`) included.
  void feed(std::string_view bytes, const OnLine& on_line);
  /// Hands out an unfinished last line, with a `\n` added.
  void finish(const OnLine& on_line);

 private:
  void hand_out(std::string_view line, const OnLine& on_line) const;

  CarriageReturn mode_;
  std::string partial_;
};

} // namespace accelerate::launch
