// tests/support/run_ranks.cpp: fills in launch options for tests.
#include "tests/support/run_ranks.h"

#include <algorithm>
#include <ostream>

namespace accelerate::test {

bool RanksResult::all_succeeded() const {
  return !deadline_passed &&
      std::all_of(ranks.begin(), ranks.end(), [](const RankOutcome& rank) {
        return rank.is_success();
      });
}

RanksResult run_ranks(const RanksOptions& options) {
  LaunchOptions job;
  job.program = options.program;
  job.args = options.args;
  job.num_processes = options.world_size;
  job.environment = options.env;
  job.environment.try_emplace("OMP_NUM_THREADS", "1");
  job.on_failure = options.on_failure;
  job.grace = options.grace;
  job.deadline = options.deadline;
  job.ranks_not_awaited = options.stalled;
  job.output = RankOutput::kCapture;
  job.signals = LauncherSignals::kLeaveAlone;
  return {Launcher(std::move(job)).run()};
}

std::ostream& operator<<(std::ostream& stream, const RanksResult& result) {
  stream << (result.deadline_passed ? "deadline passed\n" : "");
  for (const RankOutcome& rank : result.ranks) {
    stream << "rank " << rank.global_rank << ": ";
    if (rank.signal) {
      stream << "signal " << *rank.signal;
    } else {
      stream << "exit code " << rank.exit_code.value_or(-1);
    }
    stream << (rank.ended_by_launcher ? " (ended by the launcher)" : "")
           << " after " << rank.duration.count() << " ms\n";
    for (const std::string& line : rank.last_lines) {
      stream << "  | " << line << '\n';
    }
  }
  return stream;
}

std::string built_program(const std::string& name) {
  return std::string(ACCELERATE_BUILD_DIR) + "/tests/" + name;
}

} // namespace accelerate::test
