// accelerate/progress.h: a progress bar on standard error: count, rate,
// remaining time and a few values of the loop.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "accelerate/api.h"

namespace accelerate {

struct ProgressOptions {
  /// Expected final count; unset when it is not known.
  std::optional<std::int64_t> total = std::nullopt;
  /// Stands before the bar.
  std::string description = "";
  /// What is counted.
  std::string unit = "it";
  /// A disabled bar prints nothing and costs one branch per update.
  bool enabled = true;
  /// On a terminal: the least time between two drawings.
  std::chrono::milliseconds redraw_interval{100};
  /// Elsewhere (a file, a pipe): the least time between two lines.
  std::chrono::milliseconds line_interval{10'000};
  /// Weight of the latest interval in the rate shown, in [0, 1]: 0 shows the
  /// average since the start, 1 the latest interval alone.
  double smoothing = 0.3;

  /// @throws ConfigError for a negative total or interval, or a smoothing out
  ///   of range.
  void validate() const;
};

/// Where a bar is drawn and which clock it reads; tests put their own here.
struct ProgressTerminal {
  std::function<void(std::string_view)> write;
  std::function<std::chrono::steady_clock::time_point()> now;
  /// Columns; 0 when the output is not a terminal.
  std::function<int()> columns;

  /// Standard error and the steady clock, to a few milliseconds.
  [[nodiscard]] static ACCELERATE_API ProgressTerminal standard_error();
};

/// A number or a text behind the rate, as in `loss=0.312`. Numbers are shown
/// with three significant digits, whole ones in full.
class PostfixValue {
 public:
  template <std::integral T>
  PostfixValue(T value) : value_(static_cast<std::int64_t>(value)) {}
  template <std::floating_point T>
  PostfixValue(T value) : value_(static_cast<double>(value)) {}
  PostfixValue(std::string_view value) : value_(std::string(value)) {}
  PostfixValue(const char* value) : value_(std::string(value)) {}
  PostfixValue(const std::string& value) : value_(value) {}

  [[nodiscard]] ACCELERATE_API std::string text() const;

 private:
  std::variant<std::int64_t, double, std::string> value_;
};

/// Draws, for example,
///
///     training:  42%|████▏     | 223/532 [00:41<00:57,  5.41it/s, loss=0.312]
///
/// On a terminal the line is redrawn in place and fills the width; elsewhere a
/// line is written now and then and one at the end. Starts no thread, so the
/// picture changes only in update() and close(). Movable. One thread at a time.
class ACCELERATE_API ProgressBar {
 public:
  using Postfix = std::pair<std::string_view, PostfixValue>;

  /// Draws the empty bar when on a terminal.
  /// @throws ConfigError as ProgressOptions::validate().
  explicit ProgressBar(
      ProgressOptions options,
      ProgressTerminal terminal = ProgressTerminal::standard_error());
  ProgressBar(ProgressBar&& other) noexcept;
  ProgressBar& operator=(ProgressBar&& other) noexcept;
  /// Closes the bar.
  ~ProgressBar();

  /// Counts `n` more and draws when it is time to.
  void update(std::int64_t n = 1);

  /// Replaces the values behind the rate: `set_postfix({{"loss", loss}})`.
  /// They appear with the next drawing.
  void set_postfix(std::initializer_list<Postfix> values);
  void set_description(std::string_view description);

  /// Counted so far; 0 for a disabled bar.
  [[nodiscard]] std::int64_t count() const;

  /// Writes the last line, with the average rate. Later calls do nothing.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_; // null: disabled, closed or moved from
  std::int64_t count_ = 0;
};

} // namespace accelerate
