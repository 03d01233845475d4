// cli/launch_command.cpp: `accelerate launch [flags] program [arguments]`.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include <CLI/App.hpp>

#include "accelerate/config/launch_option_table.h"
#include "accelerate/config/launch_settings.h"
#include "accelerate/error.h"
#include "accelerate/launch/gpu_count.h"
#include "accelerate/launch/launcher.h"
#include "accelerate/launch/options_from_settings.h"
#include "cli/commands.h"
#include "cli/help_format.h"

namespace accelerate::cli {
namespace {

using config::GivenValue;
using config::LaunchOption;

constexpr const char* kDescription =
    "Start a program as ranks on this machine, watch them\n"
    "\n"
    "Output of ranks other than 0 is marked with their number. When a rank\n"
    "fails, its last lines are shown, the others are ended, and its exit code\n"
    "is returned.";

constexpr const char* kFooter =
    "Everything after PROGRAM belongs to the program. A PROGRAM ending in .py\n"
    "and a module are run by the Python beside this program, else by that of\n"
    "the active environment. Words in flags may be joined by - as well as _.\n"
    "What no flag says is taken from the variable that the flag sets.\n"
    "\n"
    "Exit codes: 0 all ranks succeeded; the code of the first rank that "
    "failed,\n"
    "128 + N if signal N ended it; 2 wrong flags; 126 PROGRAM cannot be run;\n"
    "127 PROGRAM not found; 1 the machine has no room for the job.\n"
    "\n"
    "Examples:\n"
    "  accelerate launch --num_processes 2 train.py --epochs 3\n"
    "  accelerate launch --cpu --num_processes 4 -m package.train\n"
    "  accelerate launch --num_processes 2 ./train";

/// What flags said, in the order of the command line.
using Flags = std::shared_ptr<std::vector<GivenValue>>;

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

void add_flag(CLI::App& command, const LaunchOption& option, Flags flags) {
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

/// The folder of the running program, in whose Python environment, if it is
/// one, the module accelerate was installed with it.
std::string own_folder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

int launch(
    const std::vector<GivenValue>& flags,
    const std::vector<std::string>& program) {
  LaunchOptions options;
  try {
    const config::LaunchSettings settings(flags, {}, process_environment());
    options = options_from_settings(settings, visible_gpu_count());
  } catch (const ConfigError& error) {
    std::fputs(
        concat(
            "accelerate launch: ",
            error.what(),
            "; see accelerate launch --help\n")
            .c_str(),
        stderr);
    return kExitUsage;
  }
  options.program = program.front();
  options.args.assign(program.begin() + 1, program.end());
  options.python_folder = own_folder();
  return launch_job(options);
}

} // namespace

void add_launch_command(CLI::App& app, Commands& commands) {
  const Flags flags = std::make_shared<std::vector<GivenValue>>();
  CLI::App* command = app.add_subcommand("launch", kDescription);
  command->footer(kFooter);
  command->formatter(std::make_shared<HelpFormat>(
      "accelerate launch [flags] PROGRAM [arguments]"));
  command->prefix_command();
  command->set_help_flag("-h,--help", "Print this and exit")
      ->group(
          std::string(config::section_title(config::OptionSection::kGeneral)));
  // Only now: other commands start without the time that so many flags take.
  command->preparse_callback([command, flags](std::size_t) {
    for (const LaunchOption& option : config::launch_option_table()) {
      if (!option.is_file_only) {
        add_flag(*command, option, flags);
      }
    }
  });
  commands[command] = [flags](const std::vector<std::string>& rest) {
    return launch(*flags, rest);
  };
}

} // namespace accelerate::cli
