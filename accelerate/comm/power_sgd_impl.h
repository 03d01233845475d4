// accelerate/comm/power_sgd_impl.h: gradients as products of thin matrices.
#pragma once

#include <memory>

#include "accelerate/comm/comm_hook_impl.h"

namespace accelerate::comm {

/// What is taken as a matrix: each gradient of two or more dimensions, or all
/// of a bucket as one square.
enum class PowerSgdForm { kMatrices, kBuckets };

/// A hook that exchanges, for a gradient M of shape (n, m), P = MQ of shape
/// (n, r) and Q' = MᵀP of shape (m, r), with P made orthonormal in between, and
/// takes PQ'ᵀ for the mean of M. Waits inside the hook, so that the exchanges
/// of several buckets come in the same order on all ranks.
/// Source: Vogels, Karimireddy, Jaggi: PowerSGD (arXiv 1905.13727), with the
/// details of torch's powerSGD_hook
[[nodiscard]] std::unique_ptr<c10d::CommHookInterface> make_power_sgd(
    const GroupPtr& group,
    const PowerSgdOptions& options,
    PowerSgdForm form);

} // namespace accelerate::comm
