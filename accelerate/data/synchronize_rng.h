// accelerate/data/synchronize_rng.h: rank 0's random numbers on every rank.
#pragma once

#include <span>

#include <c10/core/Device.h>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"

namespace accelerate {

/// A default generator of libtorch. Loaders need none of their own: their
/// orders are functions of (seed, epoch).
enum class RngType {
  kTorch, ///< of the CPU
  kCuda, ///< of this rank's GPU
};

/// Collective in a world larger than one. Every rank's generators take the
/// state of rank 0's.
/// @param types the same on all ranks, in the same order
/// @param device of this rank
/// @throws ConfigError for kCuda where `device` is no GPU
/// @throws CommError when the exchange fails
/// Source: accelerate.utils.synchronize_rng_states
ACCELERATE_API void synchronize_rng_states(
    const ProcessGroup& group,
    std::span<const RngType> types,
    const c10::Device& device = c10::kCPU);

} // namespace accelerate
