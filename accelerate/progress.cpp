// accelerate/progress.cpp: when to draw, and what the line looks like.
#include "accelerate/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <vector>

#include "accelerate/error.h"

namespace accelerate {
namespace {

using Clock = std::chrono::steady_clock;

// Width of the bar itself where no terminal gives one.
constexpr int kBarColumnsWithoutTerminal = 10;

std::string format(const char* pattern, auto... values) {
  std::array<char, 64> text{};
  const int length =
      std::snprintf(text.data(), text.size(), pattern, values...);
  return {text.data(), std::min(static_cast<std::size_t>(length), text.size())};
}

/// `07:21`, or `1:07:21` from one hour on.
std::string format_time(double seconds) {
  constexpr double kRounding = 1e-6; // 5 / (5 / 9.0) must show nine seconds
  const auto whole = static_cast<long long>(seconds + kRounding);
  const long long hours = whole / 3600;
  const long long minutes = whole / 60 % 60;
  return hours > 0 ? format("%lld:%02lld:%02lld", hours, minutes, whole % 60)
                   : format("%02lld:%02lld", minutes, whole % 60);
}

/// ` 5.41it/s`, or ` 2.50s/it` below one a second.
std::string format_rate(std::optional<double> rate, const std::string& unit) {
  if (!rate || *rate <= 0) {
    return "?" + unit + "/s";
  }
  return *rate < 1 ? format("%5.2f", 1 / *rate) + "s/" + unit
                   : format("%5.2f", *rate) + unit + "/s";
}

/// The steady clock as of the last timer tick: a few milliseconds behind, and
/// several times cheaper to read, which counts because every update reads it.
Clock::time_point coarse_now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return Clock::time_point(
      std::chrono::seconds(time.tv_sec) +
      std::chrono::nanoseconds(time.tv_nsec));
}

/// Code points: columns for everything but wide and combining characters.
int count_columns(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string_view first_columns(std::string_view text, int columns) {
  std::size_t end = 0;
  for (int seen = 0; end < text.size(); ++end) {
    const bool starts = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (starts && seen++ == columns) {
      break;
    }
  }
  return text.substr(0, end);
}

/// A bar in steps of an eighth of a column.
std::string draw_bar(double fraction, int columns) {
  static constexpr std::array<std::string_view, 8> kEighths{
      " ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths =
      static_cast<int>(fraction * static_cast<double>(columns) * 8);
  std::string bar;
  for (int i = 0; i < columns; ++i) {
    const int rest = eighths - i * 8;
    bar +=
        rest >= 8 ? "█" : kEighths[static_cast<std::size_t>(std::max(rest, 0))];
  }
  return bar;
}

} // namespace

void ProgressOptions::validate() const {
  constexpr std::string_view kWhere = "progress.options";
  ACCELERATE_CHECK(
      !total || *total >= 0,
      ConfigError,
      kWhere,
      "total is ",
      total.value_or(0),
      ", expected at least 0; leave it out when it is not known");
  ACCELERATE_CHECK(
      smoothing >= 0 && smoothing <= 1,
      ConfigError,
      kWhere,
      "smoothing is ",
      smoothing,
      ", expected 0 to 1");
  for (const auto& [name, interval] :
       {std::pair("redraw_interval", redraw_interval),
        std::pair("line_interval", line_interval)}) {
    ACCELERATE_CHECK(
        interval.count() >= 0,
        ConfigError,
        kWhere,
        name,
        " is ",
        interval.count(),
        " ms, expected at least 0");
  }
}

ProgressTerminal ProgressTerminal::standard_error() {
  return {
      .write =
          [](std::string_view text) {
            // A bar that cannot be shown is no reason to stop the loop.
            [[maybe_unused]] const ssize_t written =
                ::write(STDERR_FILENO, text.data(), text.size());
          },
      .now = coarse_now,
      .columns =
          [] {
            constexpr int kUnknownWidth = 80;
            if (::isatty(STDERR_FILENO) == 0) {
              return 0;
            }
            winsize size{};
            const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 &&
                size.ws_col > 0;
            return known ? static_cast<int>(size.ws_col) : kUnknownWidth;
          }};
}

std::string PostfixValue::text() const {
  if (const auto* whole = std::get_if<std::int64_t>(&value_)) {
    return std::to_string(*whole);
  }
  if (const auto* number = std::get_if<double>(&value_)) {
    return format("%.3g", *number);
  }
  return std::get<std::string>(value_);
}

struct ProgressBar::Impl {
  Impl(ProgressOptions chosen, ProgressTerminal where)
      : options(std::move(chosen)),
        terminal(std::move(where)),
        in_place(terminal.columns() > 0),
        start(terminal.now()),
        last_draw(start),
        next_draw(start + interval()) {}

  [[nodiscard]] Clock::duration interval() const {
    return in_place ? options.redraw_interval : options.line_interval;
  }

  /// Takes the interval since the last drawing into the smoothed rate.
  void observe(Clock::time_point now, std::int64_t count) {
    const double seconds =
        std::chrono::duration<double>(now - last_draw).count();
    if (count > last_count && seconds > 0) {
      const double keep = 1 - options.smoothing;
      smooth_count = keep * smooth_count +
          options.smoothing * static_cast<double>(count - last_count);
      smooth_seconds = keep * smooth_seconds + options.smoothing * seconds;
    }
    last_draw = now;
    last_count = count;
  }

  [[nodiscard]] std::string
  line(std::int64_t count, double elapsed, std::optional<double> rate) const;
  void draw(Clock::time_point now, std::int64_t count);
  void finish(std::int64_t count);
  void put_in_place(std::string text);

  ProgressOptions options;
  ProgressTerminal terminal;
  bool in_place; // on a terminal
  std::vector<std::pair<std::string, PostfixValue>> postfix;
  Clock::time_point start;
  Clock::time_point last_draw;
  Clock::time_point next_draw;
  std::int64_t last_count = 0;
  // Both start at zero, so their quotient needs no correction for the start.
  double smooth_count = 0;
  double smooth_seconds = 0;
  int drawn_columns = 0;
};

std::string ProgressBar::Impl::line(
    std::int64_t count,
    double elapsed,
    std::optional<double> rate) const {
  const std::string prefix =
      options.description.empty() ? "" : options.description + ": ";
  std::string tail = ", " + format_rate(rate, options.unit);
  for (const auto& [name, value] : postfix) {
    tail += ", " + name + "=" + value.text();
  }
  tail += "]";
  const std::string done = std::to_string(count);
  // A total that was passed says nothing about the end any more.
  if (!options.total || count > *options.total) {
    return prefix + done + options.unit + " [" + format_time(elapsed) + tail;
  }
  const std::int64_t total = *options.total;
  const double fraction = total == 0
      ? 1.0
      : static_cast<double>(count) / static_cast<double>(total);
  const std::string remaining = rate && *rate > 0
      ? format_time(static_cast<double>(total - count) / *rate)
      : "?";
  const std::string left = prefix + format("%3.0f%%", fraction * 100) + "|";
  const std::string right = "| " + done + "/" + std::to_string(total) + " [" +
      format_time(elapsed) + "<" + remaining + tail;
  const int columns = in_place
      ? std::max(
            terminal.columns() - 1 - count_columns(left) - count_columns(right),
            1)
      : kBarColumnsWithoutTerminal;
  return left + draw_bar(fraction, columns) + right;
}

void ProgressBar::Impl::put_in_place(std::string text) {
  // One column stays free: a full line would wrap on some terminals.
  text = first_columns(text, std::max(terminal.columns() - 1, 1));
  const int columns = count_columns(text);
  const int leftover = std::max(drawn_columns - columns, 0);
  drawn_columns = columns;
  terminal.write(
      "\r" + text + std::string(static_cast<std::size_t>(leftover), ' '));
}

void ProgressBar::Impl::draw(Clock::time_point now, std::int64_t count) {
  observe(now, count);
  next_draw = now + interval();
  const double elapsed = std::chrono::duration<double>(now - start).count();
  std::optional<double> rate;
  if (smooth_seconds > 0) {
    rate = smooth_count / smooth_seconds;
  } else if (elapsed > 0) {
    rate = static_cast<double>(count) / elapsed;
  }
  std::string text = line(count, elapsed, rate);
  if (in_place) {
    put_in_place(std::move(text));
  } else {
    terminal.write(text + "\n");
  }
}

void ProgressBar::Impl::finish(std::int64_t count) {
  const double elapsed =
      std::chrono::duration<double>(terminal.now() - start).count();
  std::optional<double> average;
  if (elapsed > 0) {
    average = static_cast<double>(count) / elapsed;
  }
  std::string text = line(count, elapsed, average);
  if (in_place) {
    put_in_place(std::move(text));
    terminal.write("\n");
  } else {
    terminal.write(text + "\n");
  }
}

ProgressBar::ProgressBar(ProgressOptions options, ProgressTerminal terminal) {
  options.validate();
  if (!options.enabled) {
    return;
  }
  impl_ = std::make_unique<Impl>(std::move(options), std::move(terminal));
  if (impl_->in_place) {
    impl_->draw(impl_->start, 0);
  }
}

ProgressBar::ProgressBar(ProgressBar&& other) noexcept
    : impl_(std::move(other.impl_)), count_(std::exchange(other.count_, 0)) {}

ProgressBar& ProgressBar::operator=(ProgressBar&& other) noexcept {
  if (this != &other) {
    ProgressBar closing(std::move(*this));
    impl_ = std::move(other.impl_);
    count_ = std::exchange(other.count_, 0);
  }
  return *this;
}

ProgressBar::~ProgressBar() {
  try {
    close();
  } catch (const std::exception&) {
    // Only memory can run out here, and a picture is not worth an abort.
  }
}

void ProgressBar::update(std::int64_t n) {
  if (!impl_) {
    return;
  }
  count_ += n;
  const Clock::time_point now = impl_->terminal.now();
  if (now >= impl_->next_draw) {
    impl_->draw(now, count_);
  }
}

void ProgressBar::set_postfix(std::initializer_list<Postfix> values) {
  if (!impl_) {
    return;
  }
  impl_->postfix.clear();
  for (const auto& [name, value] : values) {
    impl_->postfix.emplace_back(name, value);
  }
}

void ProgressBar::set_description(std::string_view description) {
  if (impl_) {
    impl_->options.description = description;
  }
}

std::int64_t ProgressBar::count() const {
  return count_;
}

void ProgressBar::close() {
  if (const std::unique_ptr<Impl> impl = std::move(impl_)) {
    impl->finish(count_);
  }
}

} // namespace accelerate
