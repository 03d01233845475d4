// accelerate/launch/traceback.h: the traceback that a Python rank prints before
// it ends.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate::launch {

/// Keeps back what a rank prints from the first line of a traceback on, until
/// it is known whether the rank ends by it. Then the report can show it once,
/// instead of every rank its own.
class ACCELERATE_API TracebackHold {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// A rank that is still there after this long goes on: it only logged the
  /// traceback. Python with torch needs up to a second to end.
  static constexpr std::chrono::milliseconds kMaxTime{2'000};
  static constexpr std::size_t kMaxBytes = 65536;

  /// @param line with its end
  /// @return false when the line is to be passed on; then nothing is held
  [[nodiscard]] bool take(std::string_view line, Time now);
  /// When the held traceback began; nullopt when none is held.
  [[nodiscard]] std::optional<Time> since() const;
  /// The time has passed or the space is full: release() it.
  [[nodiscard]] bool is_overdue(Time now) const;
  /// What was held, line ends included; nothing is held afterwards.
  [[nodiscard]] std::string release();

 private:
  Time since_;
  std::string text_;
};

/// Without the `[rank1]: ` that torch puts before each line of a traceback.
[[nodiscard]] ACCELERATE_API std::string without_rank_marks(
    std::string_view traceback);

/// The line that names the exception, as in `ValueError: bad batch`, shortened
/// when it is long; empty when there is none.
/// @param traceback of which the last one counts, without rank marks
[[nodiscard]] ACCELERATE_API std::string exception_line(
    std::string_view traceback);

} // namespace accelerate::launch
