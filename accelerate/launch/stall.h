// accelerate/launch/stall.h: which rank keeps a job from going on.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/launch/position_board.h"

namespace accelerate::launch {

/// A running rank as the launcher sees it.
struct RankSighting {
  using Time = std::chrono::steady_clock::time_point;
  int rank = 0;
  /// Absent until the rank uses the engine.
  std::optional<RankPosition> position{};
  /// Stopped by a signal (and not by a debugger) each time the launcher looked
  /// since then.
  std::optional<Time> stopped_since{};

  [[nodiscard]] bool is_waiting() const {
    return position && position->issued > position->done;
  }
};

struct StallVerdict {
  /// The rank to name; absent while all is well.
  std::optional<int> rank{};
  /// When to look again.
  RankSighting::Time next_look{};
  /// Since when the rank has made no progress.
  RankSighting::Time since{};
};

/// When to call a rank stalled.
struct StallClock {
  RankSighting::Time now{};
  std::chrono::milliseconds timeout{};
};

/// Ranks that wait for others are not to blame: of all ranks one is chosen that
/// is stopped, else one that waits for no collective, then one that has issued
/// the fewest, then the one that moved first; and it is named once it has not
/// moved for `timeout`. A rank that has shown nothing counts from the moment
/// any rank did, or, when it is stopped, from then. Programs that show nothing
/// are not judged otherwise.
/// @param ranks those that run
[[nodiscard]] ACCELERATE_API StallVerdict
find_stall(const std::vector<RankSighting>& ranks, const StallClock& clock);

/// What the kernel says of a process.
struct KernelState {
  char letter = '?'; ///< of /proc/PID/stat; `?`: unknown
  std::string where{}; ///< function of the kernel it sleeps in; may be empty
};
[[nodiscard]] ACCELERATE_API KernelState kernel_state_of(pid_t pid);

/// `step 12, in comm.gather (its collective 40) for 5.2 s, stopped by a
/// signal`.
[[nodiscard]] ACCELERATE_API std::string describe_position(
    const std::optional<RankPosition>& position,
    const KernelState& state,
    std::chrono::steady_clock::time_point now);

} // namespace accelerate::launch
