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

/// What all ranks of a job share: `base`, then options.environment, then the
/// protocol. Defaults (OMP_NUM_THREADS, GLOO_SOCKET_IFNAME) yield to both;
/// variables of a launcher further outside are removed.
/// @param port of 127.0.0.1 where the ranks meet
[[nodiscard]] ACCELERATE_API Environment job_variables(
    const LaunchOptions& options,
    Environment base,
    std::uint16_t port);

/// The environment of one rank, all of them on this machine.
/// @param store_fd the listening socket's descriptor in rank 0; the other ranks
///   are not told
[[nodiscard]] ACCELERATE_API Environment
rank_variables(const Environment& job, int rank, std::optional<int> store_fd);

} // namespace accelerate::launch
