// accelerate/launch/job_report.cpp: wording of the launcher's messages.
#include "accelerate/launch/job_report.h"

#include <unistd.h>

#include "accelerate/error.h"
#include "accelerate/launch/signals.h"

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

} // namespace

std::string notice(const std::string& what) {
  return concat("accelerate launch: ", what, '\n');
}

std::string failure_report(
    const RankOutcome& failed,
    const LaunchOptions& options,
    const std::vector<int>& others) {
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
      "')"));
  if (!failed.last_lines.empty()) {
    report += notice(concat("last lines of rank ", failed.global_rank, ':'));
    for (const std::string& line : failed.last_lines) {
      report += "  | " + line + '\n';
    }
  }
  if (!others.empty() && options.on_failure == OnFailure::kEndOthers) {
    report += notice(concat(
        "ending rank",
        others.size() > 1 ? "s " : " ",
        list_ranks(others),
        " with SIGTERM, after ",
        static_cast<double>(options.grace.count()) / 1000,
        " s with SIGKILL"));
  }
  return report;
}

} // namespace accelerate::launch
