// accelerate/config/launch_option_rows_impl.h: the parts of the option table,
// one file each.
#pragma once

#include <span>

#include "accelerate/config/launch_option_table.h"

namespace accelerate::config {

/// General, hardware, resources, job, supervision.
[[nodiscard]] std::span<const LaunchOption> job_rows();
/// Compiling, FSDP, parallelism, fp8: settings that the ranks read.
[[nodiscard]] std::span<const LaunchOption> program_rows();
/// What this version has no use for.
[[nodiscard]] std::span<const LaunchOption> foreign_rows();

} // namespace accelerate::config
