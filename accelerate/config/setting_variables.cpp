// accelerate/config/setting_variables.cpp: which settings are handed over, and
// how their values are spelt.
#include "accelerate/config/setting_variables.h"

#include <algorithm>
#include <utility>

#include "accelerate/config/parse_flag.h"

namespace accelerate::config {
namespace {

using Variables = std::map<std::string, std::string>;

std::string with_case(std::string text, char first, char shift) {
  std::transform(text.begin(), text.end(), text.begin(), [&](char c) {
    return c >= first && c < first + 26 ? static_cast<char>(c + shift) : c;
  });
  return text;
}

std::string upper(std::string text) {
  return with_case(std::move(text), 'a', 'A' - 'a');
}

std::string lower(std::string text) {
  return with_case(std::move(text), 'A', 'a' - 'A');
}

/// As Python prints it.
std::string python_bool(std::string_view text) {
  return parse_flag(text).value_or(false) ? "True" : "False";
}

std::string lower_bool(std::string_view text) {
  return parse_flag(text).value_or(false) ? "true" : "false";
}

/// The job as far as it decides what is handed over.
struct Job {
  bool cpu = false;
  bool fsdp = false;
  /// The original starts such a job through torchrun.
  bool is_distributed = false;
  bool parallelism = false;
  bool fp8 = false;
  bool splits_context = false;
  bool splits_sequence = false;
};

Job describe(const LaunchSettings& settings) {
  Job job;
  job.cpu = settings.is_on("cpu");
  job.fsdp = !job.cpu && settings.is_on("use_fsdp");
  job.is_distributed = job.fsdp || (!job.cpu && settings.is_on("multi_gpu"));
  job.parallelism = job.fsdp && settings.is_on("use_parallelism_config");
  job.fp8 = lower(settings.text("mixed_precision")) == "fp8";
  job.splits_context = settings.number("parallelism_config_cp_size") > 1;
  job.splits_sequence = settings.number("parallelism_config_sp_size") > 1;
  return job;
}

/// "f,d,w"
void add_override(const std::string& value, Variables& variables) {
  std::size_t begin = 0;
  for (const char* name : {"FPROP", "DGRAD", "WGRAD"}) {
    const std::size_t end = std::min(value.find(',', begin), value.size());
    variables[std::string("ACCELERATE_FP8_OVERRIDE_") + name] =
        python_bool(value.substr(begin, end - begin));
    begin = std::min(end + 1, value.size());
  }
}

/// Empty: nothing is handed over.
std::string general_value(const Setting& setting, const Job& job) {
  const std::string_view name = setting.option->name;
  const std::string& value = setting.value;
  if (name == "cpu") {
    return job.is_distributed ? "" : python_bool(value);
  }
  if (name == "debug") {
    return parse_flag(value) == true ? "true" : "";
  }
  if (name == "enable_cpu_affinity") {
    return parse_flag(value) == true ? "1" : "";
  }
  if (name == "gpu_ids") {
    return value == "all" ? "" : value;
  }
  if (name == "mixed_precision") {
    return lower(value);
  }
  // The launcher gives these two to the ranks itself.
  return name == "role" || name == "main_process_port" ? "" : value;
}

std::string fsdp_value(const Setting& setting, const Job& job) {
  if (!job.fsdp) {
    return "";
  }
  return takes_value(*setting.option) &&
          setting.option->kind != OptionKind::kYesNo &&
          setting.option->name != "fsdp_reshard_after_forward"
      ? setting.value
      : lower(setting.value);
}

std::string parallelism_value(const Setting& setting, const Job& job) {
  const std::string_view name = setting.option->name;
  const bool is_about_context = name == "parallelism_config_cp_comm_strategy";
  const bool is_about_sequence =
      name.starts_with("parallelism_config_sp_seq") ||
      name == "parallelism_config_sp_attn_implementation";
  if (!job.parallelism || (is_about_context && !job.splits_context) ||
      (is_about_sequence && !job.splits_sequence)) {
    return "";
  }
  if (setting.option->kind == OptionKind::kSwitch) {
    return lower_bool(setting.value);
  }
  return setting.option->kind == OptionKind::kYesNo ? python_bool(setting.value)
                                                    : setting.value;
}

std::string value_for_ranks(const Setting& setting, const Job& job) {
  const bool is_bool = setting.option->kind == OptionKind::kSwitch ||
      setting.option->kind == OptionKind::kYesNo;
  switch (setting.option->section) {
    case OptionSection::kCompiling:
      return setting.option->name == "dynamo_backend" ? upper(setting.value)
          : is_bool ? python_bool(setting.value)
                    : setting.value;
    case OptionSection::kFsdp:
      return fsdp_value(setting, job);
    case OptionSection::kParallelism:
      return parallelism_value(setting, job);
    case OptionSection::kFp8:
      return !job.fp8 ? ""
          : is_bool   ? python_bool(setting.value)
                      : setting.value;
    default:
      return general_value(setting, job);
  }
}

} // namespace

std::map<std::string, std::string> setting_variables(
    const LaunchSettings& settings) {
  const Job job = describe(settings);
  Variables variables;
  for (const Setting& setting : settings.all()) {
    const std::string variable(setting.option->variable);
    const bool is_switch = setting.option->kind == OptionKind::kSwitch;
    if (variable.empty() || setting.source == ValueSource::kVariable ||
        (setting.value.empty() && !is_switch)) {
      continue;
    }
    const std::string value = value_for_ranks(setting, job);
    if (value.empty()) {
      continue;
    }
    if (setting.option->name == "fp8_override_linear_precision") {
      add_override(value, variables);
    } else {
      variables[variable] = value;
    }
  }
  return variables;
}

} // namespace accelerate::config
