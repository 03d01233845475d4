// accelerate/launch/options_from_settings.cpp: one field after the other.
#include "accelerate/launch/options_from_settings.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <string>
#include <string_view>

#include "accelerate/config/setting_variables.h"
#include "accelerate/error.h"
#include "accelerate/launch/gpu_count.h"

namespace accelerate {
namespace {

constexpr std::string_view kWhere = "launch.options";

int gpus_of(const config::LaunchSettings& settings, int gpu_count) {
  const std::string& ids = settings.text("gpu_ids");
  return ids == "all" ? gpu_count : visible_gpu_count([&](const std::string&) {
    return std::optional(ids);
  });
}

int num_processes(const config::LaunchSettings& settings, int gpu_count) {
  const int asked = settings.number("num_processes");
  if (asked > 0) {
    return asked;
  }
  const config::Setting& type = settings.at("distributed_type");
  ACCELERATE_CHECK(
      type.value == "NO" ||
          settings.at("multi_gpu").source == config::ValueSource::kFlag,
      ConfigError,
      kWhere,
      "distributed_type is ",
      type.value,
      " (",
      config::describe_origin(type),
      "), but nothing says how many ranks; give --num_processes");
  if (settings.is_on("cpu")) {
    return 1;
  }
  const int gpus = gpus_of(settings, gpu_count);
  ACCELERATE_CHECK(
      !settings.is_on("multi_gpu") || gpus > 1,
      ConfigError,
      kWhere,
      "several GPUs are asked for (",
      config::describe_origin(settings.at("multi_gpu")),
      "), but ",
      gpus,
      " found; give --num_processes");
  return std::clamp(gpus, 1, kMaxLocalRanks);
}

ProgramKind kind_of(const config::LaunchSettings& settings) {
  return settings.is_on("module")   ? ProgramKind::kPythonModule
      : settings.is_on("no_python") ? ProgramKind::kExecutable
                                    : ProgramKind::kFile;
}

/// @param option is a number of seconds; 0 when nobody gave one
std::chrono::milliseconds seconds_of(
    const config::LaunchSettings& settings,
    std::string_view option) {
  constexpr double kMost = 1e9; // 30 years
  const std::string& text = settings.text(option);
  double seconds = text.empty() ? 0 : -1;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  ACCELERATE_CHECK(
      seconds >= 0 && seconds <= kMost,
      ConfigError,
      kWhere,
      option,
      ' ',
      text,
      ", expected seconds from 0 to ",
      kMost);
  return std::chrono::milliseconds(std::llround(std::ceil(seconds * 1000)));
}

void set_logs(const config::LaunchSettings& settings, LaunchOptions& options) {
  const config::Setting& tee = settings.at("tee");
  const bool is_given = tee.source != config::ValueSource::kDefault;
  options.log_dir = settings.text("log_dir");
  if (is_given) {
    options.logged = LoggedStreams::parse(tee.value);
  }
  ACCELERATE_CHECK(
      !is_given || tee.value == "0" || !options.log_dir.empty(),
      ConfigError,
      kWhere,
      "tee ",
      tee.value,
      " (",
      config::describe_origin(tee),
      ") without a folder for the files; give --log_dir");
}

void set_supervision(
    const config::LaunchSettings& settings,
    LaunchOptions& options) {
  options.max_restarts = settings.number("max_restarts");
  options.heartbeat_timeout = seconds_of(settings, "heartbeat_timeout");
  if (!settings.text("grace_period").empty()) {
    options.grace = seconds_of(settings, "grace_period");
    // 0 would mean no limit.
    options.signal_grace =
        std::max(options.grace, std::chrono::milliseconds{1});
  }
}

} // namespace

LaunchOptions options_from_settings(
    const config::LaunchSettings& settings,
    int gpu_count) {
  settings.validate();
  LaunchOptions options;
  options.kind = kind_of(settings);
  options.num_processes = num_processes(settings, gpu_count);
  options.environment = config::setting_variables(settings);
  options.program_port =
      static_cast<std::uint16_t>(settings.number("main_process_port"));
  options.role = settings.text("role");
  options.bind_cores = settings.is_on("enable_cpu_affinity");
  options.quiet = settings.is_on("quiet");
  set_supervision(settings, options);
  set_logs(settings, options);
  if (settings.is_on("cpu") && options.num_processes == 1) {
    // Of several ranks they would keep all on the same cores.
    options.environment.try_emplace(
        "KMP_AFFINITY", "granularity=fine,compact,1,0");
    options.environment.try_emplace("KMP_BLOCKTIME", "1");
  }
  return options;
}

} // namespace accelerate
