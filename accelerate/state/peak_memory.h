// accelerate/state/peak_memory.h: the most memory that this process has used.
#pragma once

#include <cstdint>
#include <optional>

#include "accelerate/api.h"

namespace accelerate {

struct PeakMemory {
  /// Most main memory at one time that held pages of this process, libraries
  /// included.
  std::int64_t resident_bytes = 0;
  /// Most memory at one time in tensors on this process's accelerator; empty
  /// without one.
  std::optional<std::int64_t> device_bytes = std::nullopt;
};

/// Since the start, or since reset_peak_memory(). Not collective: gather it for
/// all ranks.
/// Source: VmHWM in proc(5); torch.cuda.max_memory_allocated
[[nodiscard]] ACCELERATE_API PeakMemory peak_memory();

/// Begins anew from what is used now. Best effort: where the kernel does not
/// allow it, the peak of main memory stays that since the start.
/// @return whether it began anew
ACCELERATE_API bool reset_peak_memory();

} // namespace accelerate
