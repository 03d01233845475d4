// accelerate/launch/job_report.cpp: wording of the launcher's messages.
#include "accelerate/launch/job_report.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "accelerate/error.h"
#include "accelerate/launch/line_splitter.h"
#include "accelerate/launch/signals.h"
#include "accelerate/launch/traceback.h"

namespace accelerate::launch {
namespace {

std::string host_name() {
  char name[256] = "localhost";
  ::gethostname(name, sizeof name - 1);
  return name;
}

/// `0, 2, 3 and 12 more`.
std::string list_ranks(const std::vector<int>& ranks) {
  constexpr std::size_t kMost = 8;
  std::string text;
  for (std::size_t i = 0; i < ranks.size() && i < kMost; ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(ranks[i]);
  }
  if (ranks.size() > kMost) {
    text += concat(" and ", ranks.size() - kMost, " more");
  }
  return text;
}

std::string how_it_ended(const RankOutcome& rank) {
  return rank.signal ? concat("was killed by ", signal_name(*rank.signal))
                     : concat("exited with code ", rank.exit_code.value_or(0));
}

/// The traceback, else the last lines.
std::string shown_tail(
    const RankOutcome& failed,
    const std::string& traceback) {
  if (traceback.empty() && failed.last_lines.empty()) {
    return "";
  }
  std::string text =
      notice(concat("last lines of rank ", failed.global_rank, ':'));
  if (traceback.empty()) {
    for (const std::string& line : failed.last_lines) {
      text += concat("  | ", without_rank_mark(line), '\n');
    }
    return text;
  }
  LineSplitter lines(LineSplitter::CarriageReturn::kOverwrites);
  const auto add = [&](std::string_view line) { text += concat("  | ", line); };
  lines.feed(traceback, add);
  lines.finish(add);
  return text;
}

} // namespace

std::string notice(const std::string& what) {
  return concat("accelerate launch: ", what, '\n');
}

std::string TracebackReport::show_cause(const std::string& traceback) {
  if (traceback.empty()) {
    return "";
  }
  has_cause_ = true;
  show(traceback);
  return shown_.back();
}

void TracebackReport::show(const std::string& traceback) {
  shown_.push_back(without_rank_marks(traceback));
}

bool TracebackReport::has_shown(const std::string& traceback) const {
  const std::string text = without_rank_marks(traceback);
  return std::find(shown_.begin(), shown_.end(), text) != shown_.end();
}

std::string TracebackReport::add(int rank, const std::string& traceback) {
  if (has_shown(traceback)) {
    same_.push_back(rank);
    return "";
  }
  const std::string exception = exception_line(traceback);
  return exception.empty()
      ? ""
      : notice(concat(
            "rank ", rank, " raised after it: ", first_sentence(exception)));
}

std::string TracebackReport::finish() {
  std::vector<int> ranks = std::exchange(same_, {});
  std::sort(ranks.begin(), ranks.end());
  return ranks.empty() ? ""
                       : notice(concat(
                             "rank",
                             ranks.size() > 1 ? "s " : " ",
                             list_ranks(ranks),
                             " raised the same exception"));
}

std::string failure_report(
    const RankOutcome& failed,
    const LaunchOptions& options,
    const std::vector<int>& others,
    const ReportedTraceback& traceback) {
  const std::string exception = exception_line(traceback.text);
  const bool is_above =
      !exception.empty() && traceback.place == ReportedTraceback::Place::kAbove;
  const std::string what = is_above ? ""
      : exception.empty()           ? failed.recorded_error
                                    : exception;
  std::string report = notice(concat(
      "rank ",
      failed.global_rank,
      " of ",
      options.num_processes,
      " on ",
      host_name(),
      " ",
      how_it_ended(failed),
      " (process ",
      failed.pid,
      ", after ",
      static_cast<double>(failed.duration.count()) / 1000,
      " s, program '",
      options.program,
      "')",
      what.empty() ? "" : ": ",
      what));
  if (is_above) {
    report += notice(concat(
        "rank ",
        failed.global_rank,
        " of ",
        options.num_processes,
        " raised ",
        exception,
        " first; its traceback is above"));
  } else if (!options.quiet || !traceback.text.empty()) {
    report += shown_tail(
        failed,
        traceback.place == ReportedTraceback::Place::kHere ? traceback.text
                                                           : "");
  }
  if (!options.quiet && !others.empty() &&
      options.on_failure == OnFailure::kEndOthers) {
    report += ending_notice(others, options.grace);
  }
  return report;
}

std::string ending_notice(
    const std::vector<int>& ranks,
    std::chrono::milliseconds grace) {
  return notice(concat(
      "ending rank",
      ranks.size() > 1 ? "s " : " ",
      list_ranks(ranks),
      " with SIGTERM, after ",
      static_cast<double>(grace.count()) / 1000,
      " s with SIGKILL"));
}

std::string stall_report(
    const StallVerdict& verdict,
    const std::vector<RankSighting>& ranks,
    const std::vector<RankOutcome>& outcomes) {
  const auto now = std::chrono::steady_clock::now();
  const auto process = [&](int rank) {
    return outcomes[static_cast<std::size_t>(rank)].pid;
  };
  const int named = verdict.rank.value_or(0);
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(
      now - verdict.since);
  std::string report = notice(concat(
      "rank ",
      named,
      " of ",
      outcomes.size(),
      " on ",
      host_name(),
      " has made no progress for ",
      static_cast<double>(time.count()) / 1000,
      " s (process ",
      process(named),
      ")"));
  // Of a large job the first ranks, and the one that is named.
  constexpr int kMost = 16;
  for (const RankSighting& rank : ranks) {
    if (rank.rank < kMost || rank.rank == named) {
      report += notice(concat(
          "  rank ",
          rank.rank,
          ": ",
          describe_position(
              rank.position, kernel_state_of(process(rank.rank)), now)));
    }
  }
  return report;
}

} // namespace accelerate::launch
