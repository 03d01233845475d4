// accelerate/comm/rendezvous.h: finds the ranks of a job through the store
// that rank 0 (or the launcher) holds.
#pragma once

#include <chrono>
#include <string>

#include <c10/util/intrusive_ptr.h>

#include "accelerate/api.h"
#include "accelerate/config/rank_environment.h"

namespace c10d {
class Store;
} // namespace c10d

namespace accelerate::comm {

/// Collective. Blocking. Opens or joins the job's store and waits until every
/// rank is there. Rank 0's handle holds the store: it must outlive the group.
/// Callers include c10d's Store.hpp.
/// @param environment of a world larger than one
/// @param timeout longest wait for the last rank
/// @throws ConfigError, CommError as ProcessGroup::create()
[[nodiscard]] ACCELERATE_API c10::intrusive_ptr<c10d::Store> open_store(
    const RankEnvironment& environment,
    std::chrono::milliseconds timeout);

/// The address of this machine from which `environment.main_address` is
/// reached; empty when that cannot be found out.
[[nodiscard]] ACCELERATE_API std::string address_towards(
    const RankEnvironment& environment);

} // namespace accelerate::comm
