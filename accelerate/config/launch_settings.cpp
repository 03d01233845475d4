// accelerate/config/launch_settings.cpp: flags over variables over file over
// defaults.
#include "accelerate/config/launch_settings.h"

#include <algorithm>

#include "accelerate/config/parse_flag.h"
#include "accelerate/config/parse_number.h"
#include "accelerate/error.h"

namespace accelerate::config {
namespace {

constexpr std::string_view kWhere = "config.settings";

/// `--a (train.yaml:3)`
std::string name_with_origin(const Setting& setting) {
  return setting.source == ValueSource::kFlag
      ? setting.place
      : concat("--", setting.option->name, " (", describe_origin(setting), ')');
}

} // namespace

LaunchSettings::LaunchSettings(
    const std::vector<GivenValue>& flags,
    const std::vector<GivenValue>& file,
    const EnvironmentLookup& environment) {
  for (const LaunchOption& option : launch_option_table()) {
    settings_.push_back(
        {.option = &option, .value = std::string(option.default_value)});
  }
  take(file, ValueSource::kFile);
  for (Setting& setting : settings_) {
    // The launcher's own, which ranks do not inherit.
    if (setting.option->name == "main_process_port" ||
        setting.option->name == "role") {
      continue;
    }
    const std::string variable(setting.option->variable);
    const auto value = environment(variable);
    if (!variable.empty() && value && !value->empty()) {
      setting = {setting.option, *value, ValueSource::kVariable, variable};
    }
  }
  take(flags, ValueSource::kFlag);
  derive();
}

void LaunchSettings::take(
    std::span<const GivenValue> values,
    ValueSource source) {
  for (const GivenValue& given : values) {
    entry(given.option->name) = {
        given.option, given.value, source, given.place};
  }
}

/// distributed_type of a file says which kind of job it is, unless a flag does.
void LaunchSettings::derive() {
  const Setting& type = at("distributed_type");
  Setting& multi_gpu = entry("multi_gpu");
  Setting& use_fsdp = entry("use_fsdp");
  const bool has_flag = multi_gpu.source != ValueSource::kDefault ||
      use_fsdp.source != ValueSource::kDefault;
  if (type.source == ValueSource::kDefault || has_flag || is_on("cpu")) {
    return;
  }
  if (type.value == "MULTI_GPU" || type.value == "FSDP") {
    Setting& kind = type.value == "FSDP" ? use_fsdp : multi_gpu;
    kind.value = "true";
    kind.source = type.source;
    kind.place = type.place;
  }
  const auto sized = std::find_if(
      settings_.begin(), settings_.end(), [](const Setting& setting) {
        return setting.source == ValueSource::kFile &&
            setting.option->key.starts_with("parallelism_config.");
      });
  Setting& parallelism = entry("use_parallelism_config");
  if (sized != settings_.end() && parallelism.source == ValueSource::kDefault) {
    parallelism = {parallelism.option, "true", sized->source, sized->place};
  }
}

const Setting& LaunchSettings::at(std::string_view name) const {
  const auto found = std::find_if(
      settings_.begin(), settings_.end(), [&](const Setting& setting) {
        return setting.option->name == name;
      });
  ACCELERATE_CHECK_INTERNAL(
      found != settings_.end(), kWhere, "no option '", name, "'");
  return *found;
}

Setting& LaunchSettings::entry(std::string_view name) {
  return const_cast<Setting&>(at(name));
}

bool LaunchSettings::is_on(std::string_view name) const {
  const Setting& setting = at(name);
  const auto flag = parse_flag(setting.value);
  ACCELERATE_CHECK(
      flag,
      ConfigError,
      kWhere,
      name_with_origin(setting),
      " is '",
      setting.value,
      "', expected true or false");
  return *flag;
}

int LaunchSettings::number(std::string_view name) const {
  const Setting& setting = at(name);
  const auto number = parse_number<int>(setting.value);
  ACCELERATE_CHECK(
      number || setting.value.empty(),
      ConfigError,
      kWhere,
      name_with_origin(setting),
      " is '",
      setting.value,
      "', expected a number");
  return number.value_or(0);
}

void LaunchSettings::validate() const {
  std::vector<const Setting*> kinds;
  for (const char* name : {"cpu", "multi_gpu", "use_fsdp"}) {
    const Setting& kind = at(name);
    if (kind.source == ValueSource::kFlag && is_on(name)) {
      kinds.push_back(&kind);
    }
  }
  ACCELERATE_CHECK(
      kinds.size() < 2,
      ConfigError,
      kWhere,
      kinds.front()->place,
      " and ",
      kinds.back()->place,
      " contradict each other; give one of them");
  ACCELERATE_CHECK(
      !is_on("module") || !is_on("no_python"),
      ConfigError,
      kWhere,
      "--module and --no_python contradict each other; give one of them");
  const Setting& processes = at("num_processes");
  ACCELERATE_CHECK(
      at("multi_gpu").source != ValueSource::kFlag || processes.value.empty() ||
          number("num_processes") > 1,
      ConfigError,
      kWhere,
      name_with_origin(at("multi_gpu")),
      " needs two ranks or more, got ",
      name_with_origin(processes),
      " 1");
  ACCELERATE_CHECK(
      !is_on("use_parallelism_config") ||
          (is_on("use_fsdp") && text("fsdp_version") == "2"),
      ConfigError,
      kWhere,
      name_with_origin(at("use_parallelism_config")),
      " needs --use_fsdp and --fsdp_version 2");
  ACCELERATE_CHECK(
      !is_on("use_fsdp") || !is_on("fsdp_cpu_ram_efficient_loading") ||
          is_on("fsdp_sync_module_states"),
      ConfigError,
      kWhere,
      name_with_origin(at("fsdp_sync_module_states")),
      " is false, but --fsdp_cpu_ram_efficient_loading reads the weights on "
      "one rank alone; set one of them otherwise");
}

std::string describe_origin(const Setting& setting) {
  return setting.source == ValueSource::kDefault ? "default" : setting.place;
}

} // namespace accelerate::config
