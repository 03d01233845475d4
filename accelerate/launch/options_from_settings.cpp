// accelerate/launch/options_from_settings.cpp: one field after the other.
#include "accelerate/launch/options_from_settings.h"

#include <algorithm>
#include <string>

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
  if (settings.is_on("cpu") && options.num_processes == 1) {
    // Of several ranks they would keep all on the same cores.
    options.environment.try_emplace(
        "KMP_AFFINITY", "granularity=fine,compact,1,0");
    options.environment.try_emplace("KMP_BLOCKTIME", "1");
  }
  return options;
}

} // namespace accelerate
