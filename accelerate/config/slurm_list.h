// accelerate/config/slurm_list.h: the two compressed notations of Slurm, lists
// of hosts and of tasks per node.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "accelerate/api.h"

namespace accelerate::config {

/// No list may stand for more entries than this; Slurm's own limit is lower.
inline constexpr std::size_t kMaxSlurmEntries = 65536;

/// Expands a host list: `n[08-10,12],login` is n08, n09, n10, n12, login.
/// Several brackets in one name multiply, the last one varying fastest.
/// @throws ConfigError for unbalanced brackets, empty names, ranges that run
///   backwards, or more than kMaxSlurmEntries hosts.
/// Source: Slurm, SLURM_NODELIST.
[[nodiscard]] ACCELERATE_API std::vector<std::string> expand_slurm_hosts(
    std::string_view list);

/// Expands counts per node: `4(x2),3` is 4, 4, 3.
/// @throws ConfigError for anything that is no count of at least 1.
/// Source: Slurm, SLURM_TASKS_PER_NODE.
[[nodiscard]] ACCELERATE_API std::vector<int> expand_slurm_counts(
    std::string_view list);

} // namespace accelerate::config
