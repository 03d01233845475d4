// cli/config_command.cpp: `accelerate config [default|update|show]`.
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>

#include <CLI/App.hpp>

#include "accelerate/config/config_file.h"
#include "accelerate/config/config_file_text.h"
#include "accelerate/config/config_path.h"
#include "accelerate/error.h"
#include "accelerate/launch/exit_code.h"
#include "accelerate/launch/gpu_count.h"
#include "cli/commands.h"
#include "cli/config_questions.h"
#include "cli/help_format.h"
#include "cli/launch_flags.h"

namespace accelerate::cli {
namespace {

using config::ConfigValues;
using config::find_launch_option;
using Text = std::shared_ptr<std::string>;

constexpr const char* kDescription =
    "Write the file from which launch takes what no flag says\n"
    "\n"
    "Asks how jobs are to be started and writes the answers into\n"
    "default_config.yaml. In a terminal choices are menus; otherwise each "
    "line\n"
    "of standard input is an answer, an empty one the value in brackets.";

constexpr const char* kFooter =
    "The file is accelerate/default_config.yaml in $HF_HOME, else in\n"
    "huggingface in $XDG_CACHE_HOME, else in ~/.cache/huggingface. Files of "
    "the\n"
    "original are read, and it reads ours; a name ending in .json makes JSON.";

void say(std::FILE* stream, const std::string& text) {
  std::fputs((text + '\n').c_str(), stream);
}

/// Does the work; what is wrong becomes one line.
int guarded(const char* name, const std::function<int()>& work) {
  try {
    return work();
  } catch (const Interrupted&) {
    return kExitSignal + SIGINT;
  } catch (const ConfigError& error) {
    say(stderr, concat("accelerate ", name, ": ", error.what()));
  }
  return kExitUsage;
}

std::string path_or_default(const std::string& path) {
  return path.empty() ? config::default_config_path().string() : path;
}

void add_missing(
    ConfigValues& values,
    const char* name,
    const std::string& value) {
  const config::LaunchOption* option = find_launch_option(name);
  const bool is_there =
      std::any_of(values.begin(), values.end(), [&](const auto& entry) {
        return entry.first == option;
      });
  if (!is_there) {
    values.emplace_back(option, value);
  }
}

/// What the original writes into every file.
ConfigValues with_constants(ConfigValues values) {
  add_missing(values, "compute_environment", "LOCAL_MACHINE");
  add_missing(values, "cpu", "false");
  add_missing(values, "debug", "false");
  add_missing(values, "enable_cpu_affinity", "false");
  add_missing(values, "machine_rank", "0");
  add_missing(values, "mixed_precision", "no");
  add_missing(values, "num_machines", "1");
  add_missing(values, "rdzv_backend", "static");
  add_missing(values, "same_network", "true");
  return values;
}

int ask_and_save(const std::string& path) {
  const std::string file = path_or_default(path);
  Prompt prompt;
  const ConfigValues values = ask_configuration(prompt);
  config::save_config(file, with_constants(values));
  say(stdout, "saved " + file);
  return kExitSuccess;
}

int save_default(const std::string& path, const std::string& precision) {
  const std::string file = path_or_default(path);
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0) {
    say(stdout, file + " is there already and stays as it is");
    return kExitSuccess;
  }
  const int gpus = visible_gpu_count();
  config::save_config(
      file,
      with_constants(
          {{find_launch_option("cpu"), gpus == 0 ? "true" : "false"},
           {find_launch_option("distributed_type"),
            gpus > 1 ? "MULTI_GPU" : "NO"},
           {find_launch_option("mixed_precision"), precision},
           {find_launch_option("num_processes"),
            std::to_string(std::max(gpus, 1))}}));
  say(stdout, "saved " + file);
  return kExitSuccess;
}

int update(const std::string& path) {
  const std::string file = path_or_default(path);
  ConfigValues values;
  for (const auto& given : config::load_config(file).values) {
    values.emplace_back(given.option, given.value);
  }
  config::save_config(file, with_constants(std::move(values)));
  say(stdout, "updated " + file);
  return kExitSuccess;
}

int show(const std::vector<config::GivenValue>& flags) {
  const config::LaunchSettings settings = settings_from(flags);
  settings.validate();
  for (const config::Setting& setting : settings.all()) {
    const config::LaunchOption& option = *setting.option;
    if (!config::refusal_of(option).empty() || option.name == "config_file") {
      continue;
    }
    const bool is_switch = !config::takes_value(option);
    const std::string value = !setting.value.empty() ? setting.value
        : is_switch                                  ? "false"
                                                     : "-";
    std::string line = concat(option.name, ": ", value);
    constexpr std::size_t kColumn = 48;
    line.resize(std::max(kColumn, line.size() + 1), ' ');
    say(stdout, line + config::describe_origin(setting));
  }
  return kExitSuccess;
}

CLI::App*
add_subcommand(CLI::App& app, const char* name, const char* description) {
  CLI::App* command = app.add_subcommand(name, description);
  command->set_help_flag("-h,--help", "Print this and exit");
  command->prefix_command(false);
  command->allow_extras();
  return command;
}

Text add_path(CLI::App& command) {
  const auto path = std::make_shared<std::string>();
  command
      .add_option(
          "--config_file,--config-file", *path, "File instead of the default")
      ->type_name("PATH");
  return path;
}

std::shared_ptr<HelpFormat> usage(const char* text) {
  return std::make_shared<HelpFormat>(text);
}

void add_default(CLI::App& parent, Commands& commands) {
  CLI::App* command = add_subcommand(
      parent,
      "default",
      "Write a file for all GPUs of this machine, or for its CPU");
  command->formatter(usage("accelerate config default [flags]"));
  const Text path = add_path(*command);
  const auto precision = std::make_shared<std::string>("no");
  command
      ->add_option_function<std::string>(
          "--mixed_precision,--mixed-precision",
          [precision](const std::string& value) {
            if (value != "no" && value != "fp16" && value != "bf16") {
              throw CLI::ValidationError(concat(
                  "--mixed_precision ", value, ": expected no, fp16 or bf16"));
            }
            *precision = value;
          },
          "Arithmetic of models that programs prepare (default no)")
      ->type_name("no|fp16|bf16");
  commands[command] = [path, precision](const auto&) {
    return guarded(
        "config default", [&] { return save_default(*path, *precision); });
  };
}

void add_update(CLI::App& parent, Commands& commands) {
  CLI::App* command = add_subcommand(
      parent, "update", "Write a file again, with what new versions add to it");
  command->formatter(usage("accelerate config update [flags]"));
  const Text path = add_path(*command);
  commands[command] = [path](const auto&) {
    return guarded("config update", [&] { return update(*path); });
  };
}

void add_show(CLI::App& parent, Commands& commands) {
  CLI::App* command = add_subcommand(
      parent, "show", "Print what counts for launch, and who said so");
  command->formatter(usage("accelerate config show [flags of launch]"));
  const auto flags = std::make_shared<std::vector<config::GivenValue>>();
  command->preparse_callback(
      [command, flags](std::size_t) { add_launch_flags(*command, flags); });
  commands[command] = [flags](const auto&) {
    return guarded("config show", [&] { return show(*flags); });
  };
}

} // namespace

void add_config_command(CLI::App& app, Commands& commands) {
  CLI::App* command = add_subcommand(app, "config", kDescription);
  command->footer(kFooter);
  command->formatter(usage("accelerate config [flags] [COMMAND]"));
  const Text path = add_path(*command);
  add_default(*command, commands);
  add_update(*command, commands);
  add_show(*command, commands);
  commands[command] = [path](const auto&) {
    return guarded("config", [&] { return ask_and_save(*path); });
  };
}

} // namespace accelerate::cli
