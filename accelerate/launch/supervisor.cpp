// accelerate/launch/supervisor.cpp
#include "accelerate/launch/supervisor.h"

#include <poll.h>

#include <cstdio>
#include <random>
#include <utility>
#include <vector>

#include "accelerate/error.h"
#include "accelerate/launch/job_report.h"

namespace accelerate::launch {
namespace {

using Clock = std::chrono::steady_clock;

/// How long an interrupted job, its ranks gone, waits for a reader that does
/// not read. Without an interruption it waits as any program would.
constexpr std::chrono::seconds kFlushTime{2};

std::string new_run_id() {
  std::random_device random;
  char text[17];
  std::snprintf(text, sizeof text, "%08x%08x", random(), random());
  return text;
}

} // namespace

Supervisor::Supervisor(const LaunchOptions& options, const Command& command)
    : options_(options),
      command_(command),
      run_id_(options.run_id.empty() ? new_run_id() : options.run_id),
      signals_(options.signals),
      streams_(options, run_id_) {
  if (options.deadline.count() > 0) {
    state_.deadline = Clock::now() + options.deadline;
  }
}

void Supervisor::flush() {
  std::optional<Clock::time_point> until;
  std::vector<pollfd> polled;
  while (streams_.has_unwritten() && (!until || Clock::now() < *until)) {
    if (state_.interrupted_by && !until) {
      until = Clock::now() + kFlushTime;
    }
    polled.clear();
    if (signals_.fd() >= 0) {
      polled.push_back({signals_.fd(), POLLIN, 0});
    }
    streams_.add_to(polled);
    if (::poll(polled.data(), polled.size(), poll_timeout_until(until)) > 0) {
      streams_.handle(polled);
    }
    while (const auto arrived = signals_.next()) {
      // There are no ranks left to pass it on to.
      if (ends_job(arrived->signal)) {
        state_.interrupted_by = arrived->signal;
      }
    }
  }
}

bool Supervisor::is_restarted(const LaunchResult& result, int attempt) const {
  return result.first_failed_rank && attempt < options_.max_restarts &&
      !state_.interrupted_by && !state_.deadline_passed;
}

LaunchResult Supervisor::run() {
  std::vector<RankOutcome> failed;
  for (int number = 0;; ++number) {
    streams_.begin_attempt(number);
    JobAttempt attempt(
        {options_, command_, signals_, streams_, state_},
        {.run_id = run_id_, .restart_count = number});
    LaunchResult result = attempt.run();
    if (!is_restarted(result, number)) {
      flush();
      result.failed_attempts = std::move(failed);
      return result;
    }
    const auto first = static_cast<std::size_t>(*result.first_failed_rank);
    failed.push_back(std::move(result.ranks[first]));
    streams_.say(notice(concat(
        "starting all ranks again, restart ",
        number + 1,
        " of ",
        options_.max_restarts)));
  }
}

} // namespace accelerate::launch
