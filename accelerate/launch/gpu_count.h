// accelerate/launch/gpu_count.h: how many GPUs ranks would see, without asking
// the driver.
#pragma once

#include <string>

#include "accelerate/api.h"
#include "accelerate/config/rank_environment.h"

namespace accelerate {

/// The entries of CUDA_VISIBLE_DEVICES up to one that hides the rest (`-1`),
/// else NVIDIA's device files.
/// @param devices where the device files are
[[nodiscard]] ACCELERATE_API int visible_gpu_count(
    const EnvironmentLookup& lookup = process_environment(),
    const std::string& devices = "/dev");

} // namespace accelerate
