// accelerate/launch/job_failure.h: which rank of a job failed first, and what
// is said of it and of the others.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "accelerate/launch/first_failure.h"
#include "accelerate/launch/job_report.h"
#include "accelerate/launch/launcher.h"
#include "accelerate/launch/rank_streams.h"

namespace accelerate::launch {

/// Those that have not ended.
[[nodiscard]] std::vector<int> running_ranks(
    const std::vector<RankOutcome>& outcomes);

/// Names one rank, once. A rank that raised first may need long to end; the
/// others, which only lost it, are gone before. So the name has to wait until
/// the rank whose traceback began first has ended, within the grace time.
class JobFailure {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// @param outcomes [global_rank]
  JobFailure(
      const LaunchOptions& options,
      RankStreams& streams,
      std::vector<RankOutcome>& outcomes)
      : options_(options), streams_(streams), outcomes_(outcomes) {}

  /// The rank ended other than with 0, and nobody asked it to end.
  void add(int rank) {
    failed_.push_back(rank);
  }
  [[nodiscard]] bool has_any() const {
    return !failed_.empty();
  }
  /// Names a rank that runs but hangs; what is said of it is up to the caller.
  void name_hanging(int rank) {
    first_ = rank;
  }
  /// The rank that was named.
  [[nodiscard]] std::optional<int> first() const {
    return first_;
  }
  /// Ranks have failed, none is named yet.
  [[nodiscard]] bool is_open() const {
    return has_any() && !first_;
  }
  /// Names the first rank and prints the report, unless it is worth waiting.
  /// Call it while is_open().
  /// @return true when it did
  bool name(Time now);
  /// When name() waits no longer.
  [[nodiscard]] std::optional<Time> wait_until() const {
    return is_open() ? wait_until_ : std::nullopt;
  }

  /// Says what ranks that have ended raised: a line for each that followed the
  /// first; their tracebacks when none is the cause.
  void settle(bool is_interrupted);
  /// Says what is left to say after all ranks have ended.
  void finish() {
    streams_.say(others_.finish());
  }

 private:
  [[nodiscard]] RankOutcome& outcome(int rank) const {
    return outcomes_[static_cast<std::size_t>(rank)];
  }
  [[nodiscard]] Suspect suspect(int rank, Suspect::State state) const;
  void report(int rank);
  [[nodiscard]] ReportedTraceback traceback_of(int rank);
  /// Shows what ranks raised before the named one that have not ended, though
  /// there was time; perhaps they only logged it.
  /// @return what to say of them after the report
  [[nodiscard]] std::string show_unended(std::optional<Time> named_since);

  const LaunchOptions& options_;
  RankStreams& streams_;
  std::vector<RankOutcome>& outcomes_;
  std::vector<int> failed_; // in the order in which they were seen
  std::optional<int> first_;
  std::optional<Time> wait_until_;
  TracebackReport others_;
};

} // namespace accelerate::launch
