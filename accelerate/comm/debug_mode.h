// accelerate/comm/debug_mode.h: compares also what is not compared otherwise:
// every bucket of gradients and every broadcast of buffers.
#pragma once

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/error.h"

namespace accelerate {

/// The ranks were about to exchange different things: operation, dtype, shape,
/// number of tensors, order of parameters. Thrown on all ranks, with the same
/// text but for the rank; names two that differ. No data was exchanged, and the
/// group can still be used unless gradients were on their way.
class ACCELERATE_API DisagreementError : public CommError {
 public:
  using CommError::CommError;
};

/// Collectives of values and texts are always compared. Debug mode compares
/// each bucket of gradients as well (model, number, size, dtype, parameters in
/// their order), each broadcast of buffers, and each rearrangement of buckets;
/// and every rank shows in the group's store what it does, so that the others
/// can say where a rank was that is gone. Costs a message and a request to the
/// store for each exchange.
/// Source: accelerate ACCELERATE_DEBUG_MODE
enum class DebugMode { kOff, kOn };

/// For this handle and its copies. Not collective, but all ranks do it at the
/// same place of the program: the next collective compares it.
ACCELERATE_API void set_debug_mode(const ProcessGroup& group, DebugMode mode);
[[nodiscard]] ACCELERATE_API DebugMode debug_mode(const ProcessGroup& group);

/// ACCELERATE_DEBUG_MODE; off when unset or empty.
/// @throws ConfigError for a word that says neither yes nor no
[[nodiscard]] ACCELERATE_API DebugMode
debug_mode_of(const EnvironmentLookup& lookup = process_environment());

} // namespace accelerate
