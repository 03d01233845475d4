// accelerate/comm/comm_failure.h: turns failures inside c10d, Gloo and NCCL
// into CommError with operation, rank and cause.
#pragma once

#include <functional>
#include <string_view>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"

namespace accelerate {

/// Runs `work`, in which gradients may be reduced (a backward). A failure of
/// communication marks the group broken and is thrown as CommError with the
/// original nested in it; every other exception passes through unchanged.
/// @param where `area.function` for the message
/// @throws CommError at once, without running `work`, when the group is broken
ACCELERATE_API void with_comm_errors(
    const ProcessGroup& group,
    std::string_view where,
    const std::function<void()>& work);

} // namespace accelerate
