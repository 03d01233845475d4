// accelerate/launch/job_failure.cpp: from suspects to the report.
#include "accelerate/launch/job_failure.h"

#include <signal.h>

#include "accelerate/error.h"
#include "accelerate/launch/error_file.h"
#include "accelerate/launch/traceback.h"

namespace accelerate::launch {

Suspect JobFailure::suspect(int rank, Suspect::State state) const {
  return {rank, state, outcome(rank).signal, streams_.traceback(rank).since()};
}

bool JobFailure::name(Time now) {
  if (!wait_until_) {
    wait_until_ = now + options_.grace;
  }
  std::vector<Suspect> suspects;
  for (const int rank : failed_) {
    suspects.push_back(suspect(rank, Suspect::State::kFailed));
  }
  if (now < *wait_until_) {
    for (const int rank : running_ranks(outcomes_)) {
      if (streams_.traceback(rank).since()) {
        suspects.push_back(suspect(rank, Suspect::State::kRunning));
      }
    }
  }
  first_ = first_failure(suspects);
  if (first_) {
    report(*first_);
  }
  return first_.has_value();
}

void JobFailure::report(int rank) {
  RankOutcome& failed = outcome(rank);
  const auto since = streams_.traceback(rank).since();
  streams_.collect(failed);
  failed.recorded_error = read_error_file(streams_.error_file(rank));
  const ReportedTraceback traceback = traceback_of(rank);
  // One killed by a signal was not the victim of a traceback.
  const bool may_be_victim = !failed.signal || failed.signal == SIGABRT;
  const std::string unended = may_be_victim ? show_unended(since) : "";
  streams_.say(
      failure_report(failed, options_, running_ranks(outcomes_), traceback));
  streams_.say(unended);
}

ReportedTraceback JobFailure::traceback_of(int rank) {
  const TracebackHold& hold = streams_.traceback(rank);
  const bool is_above = !hold.is_held();
  const std::string text =
      is_above ? hold.remembered() : streams_.take_traceback(rank);
  return {
      others_.show_cause(text),
      is_above ? ReportedTraceback::Place::kAbove
               : ReportedTraceback::Place::kHere};
}

std::string JobFailure::show_unended(std::optional<Time> named_since) {
  std::string lines;
  for (const int rank : running_ranks(outcomes_)) {
    const TracebackHold& hold = streams_.traceback(rank);
    const auto since = hold.since();
    if (!since || (named_since && *named_since <= *since)) {
      continue;
    }
    const bool is_held = hold.is_held();
    const std::string text =
        is_held ? streams_.take_traceback(rank) : hold.remembered();
    if (is_held) {
      streams_.forward_traceback(rank, text);
    }
    others_.show(text);
    lines += notice(concat(
        "rank ",
        rank,
        " raised before it and has not ended; its traceback is above: ",
        first_sentence(exception_line(text))));
  }
  return lines;
}

void JobFailure::settle(bool is_interrupted) {
  if (!first_ && !is_interrupted) {
    return;
  }
  // Where each rank was is worth seeing when none of them is the cause.
  const bool shows_all = is_interrupted || !others_.has_cause();
  for (const RankOutcome& ended : outcomes_) {
    const int rank = ended.global_rank;
    if (!ended.has_ended() || !streams_.traceback(rank).is_held()) {
      continue;
    }
    const std::string traceback = streams_.take_traceback(rank);
    if (shows_all && !others_.has_shown(traceback)) {
      streams_.forward_traceback(rank, traceback);
      others_.show(traceback);
    } else {
      streams_.say(others_.add(rank, traceback));
    }
  }
}

std::vector<int> running_ranks(const std::vector<RankOutcome>& outcomes) {
  std::vector<int> ranks;
  for (const RankOutcome& rank : outcomes) {
    if (!rank.has_ended()) {
      ranks.push_back(rank.global_rank);
    }
  }
  return ranks;
}

} // namespace accelerate::launch
