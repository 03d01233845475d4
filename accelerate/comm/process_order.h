// accelerate/comm/process_order.h: one process first, the others after it.
#pragma once

#include <functional>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"

namespace accelerate {

enum class ProcessOrder { kFirst, kAfter };

/// Collective. Blocking. Runs `work` on the kFirst ranks, then on the others:
/// for downloads and caches that one process fills and the rest read.
/// @throws CommError on the waiting ranks when `work` threw on one that went
///   first; that one gets its own exception
/// Source: accelerate Accelerator.main_process_first
ACCELERATE_API void run_in_order(
    const ProcessGroup& group,
    ProcessOrder order,
    const std::function<void()>& work);

/// As run_in_order() with rank 0 first.
ACCELERATE_API void main_process_first(
    const ProcessGroup& group,
    const std::function<void()>& work);

} // namespace accelerate
