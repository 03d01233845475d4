// accelerate/launch/traceback_hold.h: keeps a rank's traceback back until it is
// known whether the rank ends by it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate::launch {

/// Keeps back what a rank prints on standard error from the first line of a
/// traceback on. Then the report can show it once, instead of every rank its
/// own.
///
/// A traceback that was kept long enough is passed on and remembered: Python
/// with torch may take very long to end. It is forgotten when the rank goes
/// on, that is, prints something that does not belong to the traceback and
/// still runs kAfterwards later.
class ACCELERATE_API TracebackHold {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kMaxTime{5'000};
  static constexpr std::size_t kMaxBytes = 65536;
  /// Python prints a traceback at once: what comes this long after the name of
  /// the exception is something else. A last word before the end may come
  /// later; then this is the time it leaves to end.
  static constexpr std::chrono::milliseconds kAfterwards{1'000};

  /// What keeps a traceback back.
  enum class Until {
    kOverdue, ///< kMaxTime has passed
    kGoesOn, ///< the rank goes on; for jobs that are about to end
  };

  /// A new traceback, kAfterwards later than the one that is held or
  /// remembered: release() that one before take().
  [[nodiscard]] bool is_another(std::string_view line, Time now) const;
  /// @param line of standard error, with its end
  /// @return false when it is to be passed on
  [[nodiscard]] bool take(std::string_view line, Time now);
  /// A line of standard output was printed.
  void note_output(Time now);

  /// When the traceback that is held or remembered began.
  [[nodiscard]] std::optional<Time> since() const;
  [[nodiscard]] bool is_held() const;
  /// It is held and the time has passed or the space is full: pass_on().
  [[nodiscard]] bool is_overdue(Until until, Time now) const;
  /// What was held, line ends included. It is remembered.
  [[nodiscard]] std::string pass_on();
  /// What was held; nothing is held or remembered afterwards.
  [[nodiscard]] std::string release();
  /// What was passed on and is remembered; empty: nothing.
  [[nodiscard]] std::string remembered() const;
  /// Forgets what is remembered of a rank that goes on.
  void forget(Time now);
  /// When is_overdue() or forget() will have something to do.
  [[nodiscard]] std::optional<Time> next_change(Until until) const;

 private:
  enum class State { kNone, kHeld, kPassedOn };

  /// True for the lines of an exception that Python ignores.
  bool is_ignored(std::string_view line);
  void begin(Time now);
  void follow(std::string_view line, Time now);

  State state_ = State::kNone;
  Time since_;
  std::string text_;
  std::optional<Time> named_at_; ///< the exception's name was printed
  std::optional<Time> other_at_; ///< the first that does not belong to it
  bool is_ignoring_ = false;
};

} // namespace accelerate::launch
