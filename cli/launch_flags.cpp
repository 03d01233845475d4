// cli/launch_flags.cpp: from the rows of the table to flags of CLI11.
#include "cli/launch_flags.h"

#include <algorithm>

#include <CLI/App.hpp>

#include "accelerate/config/config_file.h"
#include "accelerate/config/launch_option_table.h"
#include "accelerate/error.h"

namespace accelerate::cli {
namespace {

using config::GivenValue;
using config::LaunchOption;

/// `-x,--some_name,--some-name`
std::string spellings(const LaunchOption& option) {
  std::string name(option.name);
  std::string text =
      option.short_name ? concat('-', option.short_name, ',') : "";
  text += "--" + name;
  if (name.find('_') != std::string::npos) {
    std::replace(name.begin(), name.end(), '_', '-');
    text += ",--" + name;
  }
  return text;
}

/// What stands in --help for the value: the choices, when they are few.
std::string value_name(const LaunchOption& option) {
  constexpr std::size_t kFew = 32;
  return option.values.size() > kFew ? "NAME" : std::string(option.values);
}

/// What stands in --help beside the flag.
std::string description(const LaunchOption& option) {
  std::string text(option.help);
  const char* more = " (";
  if (value_name(option) != option.values) {
    text += more;
    for (const char c : option.values) {
      text += c == '|' ? ", " : std::string(1, c);
    }
    more = "; ";
  }
  if (!option.default_value.empty()) {
    text += concat(more, "default ", option.default_value);
    more = "; ";
  }
  if (!option.variable.empty()) {
    text += concat(more, "sets ", option.variable);
    more = "; ";
  }
  return text + (*more == ';' ? ")" : "");
}

void take_flag(
    const LaunchOption& option,
    const std::string& value,
    std::vector<GivenValue>& flags) {
  const std::string flag = concat("--", option.name);
  if (const auto problem = config::problem_with(option, value);
      !problem.empty()) {
    const bool may_be_program = option.kind == config::OptionKind::kCount;
    throw CLI::ValidationError(concat(
        flag,
        ' ',
        value,
        ": ",
        problem,
        may_be_program ? ", then the program" : ""));
  }
  if (const auto reason = config::refusal_of(option, value); !reason.empty()) {
    const bool has_value = config::takes_value(option);
    throw CLI::ValidationError(
        concat(flag, has_value ? ' ' + value : "", ": ", reason));
  }
  flags.push_back({&option, value, flag});
}

void add_flag(
    CLI::App& command,
    const LaunchOption& option,
    const LaunchFlags& flags) {
  CLI::Option* added = nullptr;
  if (config::takes_value(option)) {
    added = command.add_option_function<std::string>(
        spellings(option),
        [&option, flags](const std::string& value) {
          take_flag(option, value, *flags);
        },
        description(option));
    added->type_name(value_name(option));
  } else {
    added = command.add_flag_callback(
        spellings(option),
        [&option, flags] { take_flag(option, "true", *flags); },
        description(option));
  }
  added->group(
      config::refusal_of(option).empty()
          ? std::string(config::section_title(option.section))
          : "");
}

} // namespace

void add_launch_flags(CLI::App& command, const LaunchFlags& flags) {
  for (const LaunchOption& option : config::launch_option_table()) {
    if (!option.is_file_only) {
      add_flag(command, option, flags);
    }
  }
}

config::LaunchSettings settings_from(const std::vector<GivenValue>& flags) {
  config::ConfigChoice choice;
  for (const GivenValue& flag : flags) {
    if (flag.option->name == "config_file") {
      choice.named = flag.value;
    }
    choice.uses_default = choice.uses_default && flag.option->name != "cpu";
  }
  const config::ConfigFile file = config::load_chosen_config(choice);
  return {flags, file.values, process_environment()};
}

} // namespace accelerate::cli
