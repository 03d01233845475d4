// accelerate/launch/rank_variables.h: the environment each rank is given.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "accelerate/api.h"
#include "accelerate/launch/launch_options.h"

namespace accelerate::launch {

using Environment = std::map<std::string, std::string>;

/// This process's environment.
[[nodiscard]] ACCELERATE_API Environment current_environment();

/// Where the ranks of a job meet, on 127.0.0.1.
struct MeetingPoint {
  /// Kept for the program (MASTER_PORT).
  std::uint16_t program_port = 0;
  /// Where the engine's store listens; absent when there is nobody to meet.
  std::optional<std::uint16_t> store_port{};
};

/// One of the runs of a job that is started again after a failure.
struct AttemptPlace {
  std::string run_id = "none";
  int restart_count = 0;
  /// PositionBoard::path(); empty: there is none.
  std::string position_board{};
};

/// What all ranks of a job share: `base`, then options.environment, then the
/// protocol. Defaults (OMP_NUM_THREADS, GLOO_SOCKET_IFNAME) yield to both;
/// variables of a launcher further outside are removed.
[[nodiscard]] ACCELERATE_API Environment job_variables(
    const LaunchOptions& options,
    Environment base,
    const MeetingPoint& meeting_point,
    const AttemptPlace& attempt = {});

/// What the launcher keeps for one rank.
struct RankPlace {
  int rank = 0;
  /// The store's listening socket, in rank 0 alone.
  std::optional<int> store_fd{};
  /// Python, and its output goes through a pipe: PYTHONUNBUFFERED is set unless
  /// it was.
  bool is_piped_python = false;
  /// Where torch's @record writes what was raised; empty: nowhere.
  std::string error_file{};
};

/// The environment of one rank, all of them on this machine.
[[nodiscard]] ACCELERATE_API Environment
rank_variables(const Environment& job, const RankPlace& place);

} // namespace accelerate::launch
