// accelerate/launch/traceback_hold.cpp: follows a traceback line by line.
#include "accelerate/launch/traceback_hold.h"

#include <algorithm>
#include <utility>

#include "accelerate/launch/traceback.h"

namespace accelerate::launch {

bool TracebackHold::is_another(std::string_view line, Time now) const {
  return state_ != State::kNone && !is_ignoring_ && named_at_ &&
      now >= *named_at_ + kAfterwards && begins_traceback(line);
}

bool TracebackHold::take(std::string_view line, Time now) {
  const bool is_of_ignored = is_ignored(line);
  if (state_ == State::kNone) {
    if (is_of_ignored || !begins_traceback(line)) {
      return false;
    }
    begin(now);
  }
  if (is_of_ignored) {
    note_output(now);
  } else {
    follow(line, now);
  }
  if (state_ == State::kHeld) {
    text_ += line;
  }
  return state_ == State::kHeld;
}

bool TracebackHold::is_ignored(std::string_view line) {
  if (announces_ignored(line)) {
    is_ignoring_ = true;
    return true;
  }
  const bool was_ignoring = is_ignoring_;
  is_ignoring_ =
      is_ignoring_ && (begins_traceback(line) || !is_at_margin(line));
  return was_ignoring;
}

void TracebackHold::begin(Time now) {
  state_ = State::kHeld;
  since_ = now;
  named_at_.reset();
  other_at_.reset();
}

void TracebackHold::follow(std::string_view line, Time now) {
  if (named_at_ && now >= *named_at_ + kAfterwards) {
    note_output(now);
    return;
  }
  if (begins_traceback(line)) {
    named_at_.reset(); // the next of a chain
  } else if (!named_at_ && is_at_margin(line)) {
    named_at_ = now;
    if (state_ == State::kPassedOn) {
      text_ += line; // it was too long to be held until here
    }
  }
}

void TracebackHold::note_output(Time now) {
  if (named_at_ && now >= *named_at_ + kAfterwards && !other_at_) {
    other_at_ = now;
  }
}

std::optional<TracebackHold::Time> TracebackHold::since() const {
  return state_ == State::kNone ? std::nullopt : std::optional(since_);
}

bool TracebackHold::is_held() const {
  return state_ == State::kHeld;
}

bool TracebackHold::is_overdue(Until until, Time now) const {
  if (!is_held()) {
    return false;
  }
  const auto due = next_change(until);
  return text_.size() > kMaxBytes || (due && now >= *due);
}

std::string TracebackHold::pass_on() {
  if (!is_held()) {
    return "";
  }
  state_ = State::kPassedOn;
  return text_;
}

std::string TracebackHold::release() {
  std::string held = is_held() ? std::move(text_) : "";
  state_ = State::kNone;
  text_.clear();
  return held;
}

std::string TracebackHold::remembered() const {
  return state_ == State::kPassedOn ? text_ : "";
}

void TracebackHold::forget(Time now) {
  if (state_ == State::kPassedOn && other_at_ &&
      now >= *other_at_ + kAfterwards) {
    (void)release();
  }
}

std::optional<TracebackHold::Time> TracebackHold::next_change(
    Until until) const {
  const auto gone_on =
      other_at_ ? std::optional(*other_at_ + kAfterwards) : std::nullopt;
  switch (state_) {
    case State::kNone:
      return std::nullopt;
    case State::kPassedOn:
      return gone_on;
    case State::kHeld:
      break;
  }
  const Time due = since_ + kMaxTime;
  if (until == Until::kOverdue) {
    return due;
  }
  return gone_on ? std::optional(std::max(due, *gone_on)) : std::nullopt;
}

} // namespace accelerate::launch
