// accelerate/log.cpp: formats a line and hands it to the kernel in one write.
#include "accelerate/log.h"

#include <unistd.h>

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace accelerate {
namespace {

LogLevel level_from_environment() {
  const char* value = std::getenv("ACCELERATE_LOG_LEVEL");
  const std::string_view name = value ? value : "";
  if (name == "debug" || name == "DEBUG") {
    return LogLevel::kDebug;
  }
  if (name == "info" || name == "INFO") {
    return LogLevel::kInfo;
  }
  if (name == "error" || name == "ERROR") {
    return LogLevel::kError;
  }
  if (name == "off" || name == "OFF") {
    return LogLevel::kOff;
  }
  return LogLevel::kWarning;
}

std::atomic<LogLevel>& current_level() {
  static std::atomic<LogLevel> level{level_from_environment()};
  return level;
}

// As one number: an atomic struct may need a lock and a library of its own.
std::atomic<std::uint64_t>& current_identity() {
  static std::atomic<std::uint64_t> identity{
      std::bit_cast<std::uint64_t>(LogIdentity{})};
  return identity;
}

char letter(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return 'D';
    case LogLevel::kInfo:
      return 'I';
    case LogLevel::kWarning:
      return 'W';
    default:
      return 'E';
  }
}

std::string local_time_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  const std::size_t length =
      std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return {text, length};
}

} // namespace

void set_log_identity(LogIdentity identity) {
  current_identity().store(std::bit_cast<std::uint64_t>(identity));
}

LogIdentity log_identity() {
  return std::bit_cast<LogIdentity>(current_identity().load());
}

void set_log_level(LogLevel level) {
  current_level().store(level);
}

LogLevel log_level() {
  return current_level().load();
}

void log(LogLevel level, std::string_view area, std::string_view message) {
  if (level < log_level() || level == LogLevel::kOff) {
    return;
  }
  const LogIdentity identity = log_identity();
  std::string line = local_time_now();
  line += ' ';
  line += letter(level);
  line += " accelerate";
  if (identity.world_size > 1) {
    line += '[' + std::to_string(identity.global_rank) + '/' +
        std::to_string(identity.world_size) + ']';
  }
  line += ' ';
  line += area;
  line += ": ";
  line += message;
  line += '\n';
  // A log line that cannot be written has nowhere to be reported.
  [[maybe_unused]] const auto written =
      ::write(STDERR_FILENO, line.data(), line.size());
}

void log_main(LogLevel level, std::string_view area, std::string_view message) {
  if (log_identity().global_rank == 0) {
    log(level, area, message);
  }
}

} // namespace accelerate
