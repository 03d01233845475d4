// accelerate/launch/cpu_count.h: how many cores this process may really use.
#pragma once

#include <vector>

#include "accelerate/api.h"

namespace accelerate {

/// One of the ranks of a machine.
struct LocalPlace {
  int rank = 0;
  int world_size = 1;
};

/// Physical cores among the processors this process may run on (its affinity
/// mask), limited by the quota of its control group; at least 1. Hyper-threads
/// of one core count once.
[[nodiscard]] ACCELERATE_API int physical_core_count();

/// Threads for each of the ranks of this machine: physical cores divided by
/// ranks, at least 1.
/// @param local_world_size ranks on this machine, at least 1
/// Source: accelerate PartialState (OMP_NUM_THREADS).
[[nodiscard]] ACCELERATE_API int threads_per_rank(int local_world_size);

/// The processors that a rank is kept on when the cores this process may run on
/// are shared out: whole cores, neighbours first. With more ranks than cores
/// several ranks share one.
/// @param place rank on this machine and number of ranks there
/// @return numbers as in sched_setaffinity, at least one
[[nodiscard]] ACCELERATE_API std::vector<int> processors_of_rank(
    LocalPlace place);

} // namespace accelerate
