// cli/launch_command.cpp: `accelerate launch [flags] program [arguments]`.
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
#include "cli/launch_flags.h"

namespace accelerate::cli {
namespace {

using config::GivenValue;

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
    "What no flag says is taken from the variable that the flag sets, then "
    "from\n"
    "the configuration file; `accelerate config show` prints what counts.\n"
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
    const config::LaunchSettings settings = settings_from(flags);
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
  const LaunchFlags flags = std::make_shared<std::vector<GivenValue>>();
  CLI::App* command = app.add_subcommand("launch", kDescription);
  command->footer(kFooter);
  command->formatter(std::make_shared<HelpFormat>(
      "accelerate launch [flags] PROGRAM [arguments]"));
  command->prefix_command();
  command->set_help_flag("-h,--help", "Print this and exit")
      ->group(
          std::string(config::section_title(config::OptionSection::kGeneral)));
  // Only now: other commands start without the time that so many flags take.
  command->preparse_callback(
      [command, flags](std::size_t) { add_launch_flags(*command, flags); });
  commands[command] = [flags](const std::vector<std::string>& rest) {
    return launch(*flags, rest);
  };
}

} // namespace accelerate::cli
