// accelerate/launch/job_attempt.cpp: one loop over processes, pipes and
// signals.
#include "accelerate/launch/job_attempt.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "accelerate/error.h"
#include "accelerate/launch/job_report.h"

namespace accelerate::launch {
namespace {

/// Waking up later than this says more of the machine than of the ranks.
constexpr std::chrono::milliseconds kLateWake{500};

} // namespace

JobAttempt::JobAttempt(const Job& job, AttemptPlace place)
    : options_(job.options),
      signals_(job.signals),
      streams_(job.streams),
      state_(job.state),
      ranks_(job.options, job.command, std::move(place)),
      failure_(job.options, job.streams, ranks_.outcomes()) {
  if (options_.heartbeat_timeout.count() > 0) {
    next_look_ = Clock::now() + options_.heartbeat_timeout / 4;
  }
}

int poll_timeout_until(
    std::optional<std::chrono::steady_clock::time_point> time) {
  if (!time) {
    return -1;
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      *time - std::chrono::steady_clock::now());
  constexpr std::chrono::milliseconds kMost{60'000};
  return static_cast<int>(
      std::clamp(left, std::chrono::milliseconds{0}, kMost).count());
}

int JobAttempt::poll_timeout() const {
  std::optional<Clock::time_point> next = kill_at_;
  const auto add = [&](std::optional<Clock::time_point> time) {
    next = next && time ? std::min(*next, *time) : (next ? next : time);
  };
  add(streams_.next_release(held_until()));
  if (!state_.interrupted_by) {
    add(failure_.wait_until());
  }
  if (!state_.deadline_passed) {
    add(state_.deadline);
  }
  add(next_look_);
  return poll_timeout_until(next);
}

void JobAttempt::wait_for_something() {
  polled_.clear();
  if (signals_.fd() >= 0) {
    polled_.push_back({signals_.fd(), POLLIN, 0});
  }
  ranks_.add_to(polled_);
  streams_.add_to(polled_);
  const int ready = ::poll(polled_.data(), polled_.size(), poll_timeout());
  ACCELERATE_CHECK_INTERNAL(
      ready >= 0 || errno == EINTR,
      "launch.wait",
      "poll: ",
      describe_errno(errno));
  if (ready <= 0) {
    polled_.clear();
  }
}

void JobAttempt::handle_signals() {
  while (const auto arrived = signals_.next()) {
    const int signal = arrived->signal;
    if (ends_job(signal) && state_.interrupted_by && signal != SIGHUP) {
      streams_.say(notice(signal_name(signal) + " again: killing all ranks"));
      kill_all();
      continue;
    }
    if (ends_job(signal)) {
      state_.interrupted_by = signal;
      streams_.say(notice(concat(
          signal_name(signal),
          " passed on to the ranks; a second one kills them")));
    }
    ranks_.pass_on(*arrived);
    if (ends_job(signal) && options_.signal_grace.count() > 0 && !kill_at_) {
      kill_at_ = Clock::now() + options_.signal_grace;
    }
  }
}

void JobAttempt::handle_endings() {
  for (const int rank : ranks_.take_ended()) {
    const RankOutcome& outcome =
        ranks_.outcomes()[static_cast<std::size_t>(rank)];
    streams_.drain(rank);
    if (outcome.is_success()) {
      // Whatever it raised, nothing failed by it.
      streams_.forward_traceback(rank, streams_.take_traceback(rank));
    } else if (!outcome.ended_by_launcher) {
      failure_.add(rank);
    }
  }
  if (failure_.is_open()) {
    handle_failure();
  }
  failure_.settle(state_.interrupted_by.has_value());
}

void JobAttempt::handle_failure() {
  if (state_.interrupted_by) {
    // Ranks end because they were asked to; the others get the grace time.
    start_grace();
  } else if (
      failure_.name(Clock::now()) &&
      options_.on_failure == OnFailure::kEndOthers) {
    end_others();
  }
}

TracebackHold::Until JobAttempt::held_until() const {
  // Of a job that ends, the report and a line for each rank are enough.
  return failure_.is_open() || kill_at_ ? TracebackHold::Until::kGoesOn
                                        : TracebackHold::Until::kOverdue;
}

void JobAttempt::start_grace() {
  if (!kill_at_) {
    kill_at_ = Clock::now() + options_.grace;
  }
}

void JobAttempt::end_others() {
  ranks_.ask_to_end();
  start_grace();
}

void JobAttempt::kill_all() {
  ranks_.kill();
  kill_at_.reset();
}

void JobAttempt::end_unawaited() {
  const std::vector<int>& unawaited = options_.ranks_not_awaited;
  const auto is_awaited = [&](int rank) {
    return std::find(unawaited.begin(), unawaited.end(), rank) ==
        unawaited.end();
  };
  const std::vector<int> running = ranks_.running();
  if (!unawaited.empty() &&
      std::none_of(running.begin(), running.end(), is_awaited)) {
    kill_all();
  }
}

void JobAttempt::check_clocks() {
  const Clock::time_point now = Clock::now();
  if (state_.deadline && !state_.deadline_passed && now >= *state_.deadline) {
    state_.deadline_passed = true;
    streams_.say(notice(concat(
        "the deadline of ",
        options_.deadline.count(),
        " ms passed: killing all ranks")));
    kill_all();
  }
  if (kill_at_ && now >= *kill_at_) {
    kill_all();
  }
}

void JobAttempt::check_progress() {
  const Clock::time_point now = Clock::now();
  if (failure_.has_any() || kill_at_ || state_.interrupted_by) {
    next_look_.reset(); // it ends already
  }
  if (!next_look_ || now < *next_look_) {
    return;
  }
  const auto timeout = options_.heartbeat_timeout;
  if (now - *next_look_ > std::max<Clock::duration>(timeout / 4, kLateWake)) {
    // The launcher slept too long itself, perhaps with the whole machine.
    next_look_ = now + timeout;
    return;
  }
  const std::vector<RankSighting> ranks = ranks_.look();
  const StallVerdict verdict = find_stall(ranks, {now, timeout});
  next_look_ = verdict.next_look;
  if (verdict.rank) {
    next_look_.reset();
    has_stalled_ = true;
    failure_.name_hanging(*verdict.rank);
    streams_.say(stall_report(verdict, ranks, ranks_.outcomes()));
    streams_.say(ending_notice(ranks_.running(), options_.grace));
    end_others();
  }
}

int JobAttempt::exit_code() const {
  if (state_.deadline_passed || has_stalled_) {
    return kExitDeadline;
  }
  const std::vector<RankOutcome>& outcomes = ranks_.outcomes();
  if (const auto first = failure_.first()) {
    return outcomes[static_cast<std::size_t>(*first)].shell_code();
  }
  const bool all_succeeded =
      std::all_of(outcomes.begin(), outcomes.end(), [](const auto& rank) {
        return rank.is_success();
      });
  return state_.interrupted_by && !all_succeeded
      ? kExitSignal + *state_.interrupted_by
      : kExitSuccess;
}

LaunchResult JobAttempt::finish() {
  // What ranks left behind ends with the attempt; then no pipe has a writer.
  ranks_.reap();
  streams_.close_all();
  streams_.release_all_tracebacks();
  failure_.finish();
  LaunchResult result;
  result.exit_code = exit_code();
  result.first_failed_rank = failure_.first();
  result.deadline_passed = state_.deadline_passed;
  result.has_stalled = has_stalled_;
  for (RankOutcome& outcome : ranks_.outcomes()) {
    streams_.collect(outcome);
  }
  result.ranks = std::move(ranks_.outcomes());
  return result;
}

LaunchResult JobAttempt::run() {
  ranks_.start(streams_, signals_.original_mask());
  while (!ranks_.running().empty()) {
    wait_for_something();
    handle_signals();
    streams_.handle(polled_);
    streams_.release_tracebacks(held_until());
    handle_endings();
    end_unawaited();
    check_clocks();
    check_progress();
  }
  return finish();
}

} // namespace accelerate::launch
