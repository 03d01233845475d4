// accelerate/comm/rendezvous_impl.h: finds the ranks of a job through the store
// that rank 0 (or the launcher) holds.
#pragma once

#include <chrono>
#include <string>

#include <c10/util/intrusive_ptr.h>

#include "accelerate/config/rank_environment.h"

namespace c10d {
class Store;
} // namespace c10d

namespace accelerate::comm {

/// Opens or joins the job's store and waits until every rank is there.
/// @throws ConfigError, CommError as ProcessGroup::create()
c10::intrusive_ptr<c10d::Store> open_store(
    const RankEnvironment& environment,
    std::chrono::milliseconds timeout);

/// The address of this machine from which `environment.main_address` is
/// reached; empty when that cannot be found out.
std::string address_towards(const RankEnvironment& environment);

} // namespace accelerate::comm
