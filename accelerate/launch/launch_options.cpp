// accelerate/launch/launch_options.cpp: the limits of each option.
#include "accelerate/launch/launch_options.h"

#include <algorithm>
#include <cctype>

#include "accelerate/error.h"

namespace accelerate {
namespace {

constexpr std::string_view kWhere = "launch.options";
constexpr std::size_t kMaxRunIdBytes = 128;

void check_no_zero_byte(std::string_view field, const std::string& text) {
  ACCELERATE_CHECK(
      text.find('\0') == std::string::npos,
      ConfigError,
      kWhere,
      field,
      " contains a zero byte, which no process can be given");
}

/// It is a variable of the ranks and the name of a folder.
void check_run_id(const std::string& run_id) {
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  };
  ACCELERATE_CHECK(
      run_id.size() <= kMaxRunIdBytes && !run_id.starts_with('.') &&
          std::all_of(run_id.begin(), run_id.end(), is_plain),
      ConfigError,
      kWhere,
      "run_id='",
      run_id,
      "', expected at most ",
      kMaxRunIdBytes,
      " letters, digits, '-', '_' and '.', the first no '.'");
}

void check_environment(const std::map<std::string, std::string>& environment) {
  for (const auto& [name, value] : environment) {
    check_no_zero_byte("environment", name);
    check_no_zero_byte("environment", value);
    ACCELERATE_CHECK(
        !name.empty() && name.find('=') == std::string::npos,
        ConfigError,
        kWhere,
        "environment has the name '",
        name,
        "', expected one without '='");
  }
}

void check_supervision(const LaunchOptions& options) {
  ACCELERATE_CHECK(
      options.signal_grace.count() >= 0 &&
          options.heartbeat_timeout.count() >= 0,
      ConfigError,
      kWhere,
      "signal_grace=",
      options.signal_grace.count(),
      " ms, heartbeat_timeout=",
      options.heartbeat_timeout.count(),
      " ms, expected 0 or more");
  ACCELERATE_CHECK(
      options.max_restarts >= 0 && options.max_restarts <= kMaxRestarts,
      ConfigError,
      kWhere,
      "max_restarts=",
      options.max_restarts,
      ", expected 0 to ",
      kMaxRestarts);
  ACCELERATE_CHECK(
      (options.max_restarts == 0 && options.heartbeat_timeout.count() == 0) ||
          options.on_failure == OnFailure::kEndOthers,
      ConfigError,
      kWhere,
      "max_restarts=",
      options.max_restarts,
      ", heartbeat_timeout=",
      options.heartbeat_timeout.count(),
      " ms where the others go on after a failure, expected 0");
}

} // namespace

void LaunchOptions::validate() const {
  ACCELERATE_CHECK(
      !program.empty(), ConfigError, kWhere, "no program was given");
  ACCELERATE_CHECK(
      num_processes >= 1 && num_processes <= kMaxLocalRanks,
      ConfigError,
      kWhere,
      "num_processes=",
      num_processes,
      ", expected 1 to ",
      kMaxLocalRanks);
  ACCELERATE_CHECK(
      grace.count() >= 0 && deadline.count() >= 0,
      ConfigError,
      kWhere,
      "grace=",
      grace.count(),
      " ms, deadline=",
      deadline.count(),
      " ms, expected 0 or more");
  check_supervision(*this);
  check_run_id(run_id);
  check_no_zero_byte("log_dir", log_dir);
  for (const int rank : ranks_not_awaited) {
    ACCELERATE_CHECK(
        rank >= 0 && rank < num_processes,
        ConfigError,
        kWhere,
        "ranks_not_awaited has ",
        rank,
        ", expected 0 to ",
        num_processes - 1);
  }
  check_no_zero_byte("program", program);
  check_no_zero_byte("role", role);
  for (const std::string& argument : args) {
    check_no_zero_byte("args", argument);
  }
  check_environment(environment);
}

} // namespace accelerate
