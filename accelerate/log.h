// accelerate/log.h: one logger to standard error, with the rank in every line.
#pragma once

#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

/// Who writes: shown as `accelerate[3/8]`, and at the end of error messages,
/// when the world is larger than one.
struct LogIdentity {
  int global_rank = 0;
  int world_size = 1;
};

/// Sets the identity shown in log lines and errors of this process.
/// Thread-safety: safe.
ACCELERATE_API void set_log_identity(LogIdentity identity);
[[nodiscard]] ACCELERATE_API LogIdentity log_identity();

/// Lines below `level` are dropped. The level at start comes from
/// ACCELERATE_LOG_LEVEL (debug, info, warning, error, off; default warning).
ACCELERATE_API void set_log_level(LogLevel level);
[[nodiscard]] ACCELERATE_API LogLevel log_level();

/// Writes `2026-01-02T03:04:05 W accelerate[3/8] area: message` to standard
/// error in one write call, so that lines of several ranks do not mix.
/// Thread-safety: safe.
ACCELERATE_API void
log(LogLevel level, std::string_view area, std::string_view message);

inline void log_debug(std::string_view area, std::string_view message) {
  log(LogLevel::kDebug, area, message);
}
inline void log_info(std::string_view area, std::string_view message) {
  log(LogLevel::kInfo, area, message);
}
inline void log_warning(std::string_view area, std::string_view message) {
  log(LogLevel::kWarning, area, message);
}
inline void log_error(std::string_view area, std::string_view message) {
  log(LogLevel::kError, area, message);
}

/// As log(), on global rank 0 only: for lines that should appear once a job.
ACCELERATE_API void
log_main(LogLevel level, std::string_view area, std::string_view message);

} // namespace accelerate
