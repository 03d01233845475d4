// accelerate/comm/gradient_watch.h: finds gradients of this rank that are not
// finite, before the average spreads them to all ranks.
#pragma once

#include <vector>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/nested/named_tensor.h"

namespace accelerate {

/// What was seen in the exchanges since it was last asked for.
struct WatchedGradients {
  /// Gradients were exchanged.
  bool were_exchanged = false;
  /// Parameters whose local gradient held infinity or not-a-number, in the
  /// order in which they were exchanged. Undefined where a hook exchanged
  /// something else than gradients: compressed ones, or rows of a table.
  std::vector<NamedTensor> not_finite;
};

/// From here on every bucket of gradients is looked at before it is averaged:
/// one pass over it. Not collective, but made for all ranks. Without effect in
/// a world of one.
ACCELERATE_API void watch_gradients(const ProcessGroup& group);

/// Gives what was found and forgets it. Waits for the device of the gradients.
[[nodiscard]] ACCELERATE_API WatchedGradients
take_watched_gradients(const ProcessGroup& group);

} // namespace accelerate
