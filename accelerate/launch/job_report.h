// accelerate/launch/job_report.h: what the launcher itself tells the user.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "accelerate/launch/launcher.h"

namespace accelerate::launch {

/// First what failed: rank, host, process, exit code or signal, then the rank's
/// last lines, then what happens to the others.
/// @param others ranks that still run
[[nodiscard]] ACCELERATE_API std::string failure_report(
    const RankOutcome& failed,
    const LaunchOptions& options,
    const std::vector<int>& others);

/// One line: `accelerate launch: what`.
[[nodiscard]] ACCELERATE_API std::string notice(const std::string& what);

} // namespace accelerate::launch
