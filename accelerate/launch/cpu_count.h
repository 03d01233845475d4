// accelerate/launch/cpu_count.h: how many cores this process may really use.
#pragma once

#include "accelerate/api.h"

namespace accelerate {

/// Physical cores among the processors this process may run on (its affinity
/// mask), limited by the quota of its control group; at least 1. Hyper-threads
/// of one core count once.
[[nodiscard]] ACCELERATE_API int physical_core_count();

/// Threads for each of the ranks of this machine: physical cores divided by
/// ranks, at least 1.
/// @param local_world_size ranks on this machine, at least 1
/// Source: accelerate PartialState (OMP_NUM_THREADS).
[[nodiscard]] ACCELERATE_API int threads_per_rank(int local_world_size);

} // namespace accelerate
