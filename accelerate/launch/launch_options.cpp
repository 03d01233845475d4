// accelerate/launch/launch_options.cpp: the limits of each option.
#include "accelerate/launch/launch_options.h"

#include "accelerate/error.h"

namespace accelerate {
namespace {

constexpr std::string_view kWhere = "launch.options";

void check_no_zero_byte(std::string_view field, const std::string& text) {
  ACCELERATE_CHECK(
      text.find('\0') == std::string::npos,
      ConfigError,
      kWhere,
      field,
      " contains a zero byte, which no process can be given");
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
  for (const std::string& argument : args) {
    check_no_zero_byte("args", argument);
  }
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

} // namespace accelerate
