// accelerate/launch/supervisor.cpp
#include "accelerate/launch/supervisor.h"

#include <poll.h>

#include <vector>

namespace accelerate::launch {
namespace {

using Clock = std::chrono::steady_clock;

/// How long an interrupted job, its ranks gone, waits for a reader that does
/// not read. Without an interruption it waits as any program would.
constexpr std::chrono::seconds kFlushTime{2};

} // namespace

Supervisor::Supervisor(const LaunchOptions& options, const Command& command)
    : options_(options),
      command_(command),
      signals_(options.signals),
      streams_(options) {
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

LaunchResult Supervisor::run() {
  JobAttempt attempt({options_, command_, signals_, streams_, state_});
  LaunchResult result = attempt.run();
  flush();
  return result;
}

} // namespace accelerate::launch
