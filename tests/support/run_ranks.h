// tests/support/run_ranks.h: real processes for tests, started by the project's
// own launcher.
#pragma once

#include <chrono>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "accelerate/launch/launcher.h"

namespace accelerate::test {

/// A job of a few processes on this machine.
struct RanksOptions {
  /// A path; see built_program() for one of this build.
  std::string program{};
  std::vector<std::string> args{};
  int world_size = 2;
  /// Set over this process's environment; OMP_NUM_THREADS=1 unless given.
  std::map<std::string, std::string> env{};
  /// All ranks are killed after this time, and the result says so.
  std::chrono::milliseconds deadline{30'000};
  /// By default the others go on when a rank fails, so that a test can see how
  /// each of them notices.
  OnFailure on_failure = OnFailure::kLetOthersRun;
  /// Between SIGTERM and SIGKILL with OnFailure::kEndOthers.
  std::chrono::milliseconds grace{2'000};
  /// Ranks that are expected to hang: killed once all others have ended.
  std::vector<int> stalled{};
};

/// LaunchResult with what tests ask for; ranks[r].out and .err hold what rank r
/// printed.
struct RanksResult : LaunchResult {
  /// Every rank ended with 0 inside the deadline.
  [[nodiscard]] bool all_succeeded() const;
};

/// Runs the job to its end. A rank is killed, at the latest, at the deadline.
/// @throws ConfigError as Launcher does
[[nodiscard]] RanksResult run_ranks(const RanksOptions& options);

/// Every rank's ending and last lines; what `EXPECT_…(…) << result` shows.
std::ostream& operator<<(std::ostream& stream, const RanksResult& result);

/// Path of a test program in this build's tests folder.
[[nodiscard]] std::string built_program(const std::string& name);

} // namespace accelerate::test
