// accelerate/launch/job_attempt.h: one run of all ranks of a job, from their
// start until the last has ended.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "accelerate/launch/job_failure.h"
#include "accelerate/launch/launcher.h"
#include "accelerate/launch/rank_group.h"
#include "accelerate/launch/rank_streams.h"
#include "accelerate/launch/signals.h"

namespace accelerate::launch {

/// What outlives an attempt: how the whole job was told to end.
struct JobState {
  using Time = std::chrono::steady_clock::time_point;
  std::optional<Time> deadline{};
  bool deadline_passed = false;
  /// INT, TERM or HUP.
  std::optional<int> interrupted_by{};
};

/// Waits for processes, pipes and signals.
class JobAttempt {
 public:
  struct Job {
    const LaunchOptions& options;
    const Command& command;
    SignalScope& signals;
    RankStreams& streams;
    JobState& state;
  };
  JobAttempt(const Job& job, AttemptPlace place);

  /// Returns when all ranks have ended and all they wrote was read; it may
  /// not have been written yet.
  /// @throws as Launcher::run does
  [[nodiscard]] LaunchResult run();

 private:
  using Clock = std::chrono::steady_clock;

  void wait_for_something();
  [[nodiscard]] int poll_timeout() const;
  void handle_signals();
  void handle_endings();
  void handle_failure();
  [[nodiscard]] TracebackHold::Until held_until() const;
  void check_clocks();
  void end_unawaited();
  /// Looks for a rank that hangs, when it is time to.
  void check_progress();

  /// SIGTERM now, SIGKILL after the grace time.
  void end_others();
  void kill_all();
  void start_grace();
  [[nodiscard]] LaunchResult finish();
  [[nodiscard]] int exit_code() const;

  const LaunchOptions& options_;
  SignalScope& signals_;
  RankStreams& streams_;
  JobState& state_;
  RankGroup ranks_;
  JobFailure failure_;
  std::vector<pollfd> polled_;
  std::optional<Clock::time_point> kill_at_;
  std::optional<Clock::time_point> next_look_; // for a rank that hangs
  bool has_stalled_ = false;
};

/// Milliseconds for poll(): -1 without a time, at most a minute.
[[nodiscard]] int poll_timeout_until(
    std::optional<std::chrono::steady_clock::time_point> time);

} // namespace accelerate::launch
