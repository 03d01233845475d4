// cli/launch_command.cpp: `accelerate launch [flags] program [arguments]`.
#include <memory>

#include <CLI/App.hpp>

#include "accelerate/config/parse_number.h"
#include "accelerate/error.h"
#include "accelerate/launch/launcher.h"
#include "cli/commands.h"
#include "cli/help_format.h"

namespace accelerate::cli {
namespace {

constexpr const char* kDescription =
    "Start a program as ranks on this machine, watch them\n"
    "\n"
    "Output of ranks other than 0 is marked with their number. When a rank\n"
    "fails, its last lines are shown, the others are ended, and its exit code\n"
    "is returned.";

constexpr const char* kFooter =
    "Everything after PROGRAM belongs to the program. A PROGRAM ending in .py\n"
    "is started with the Python of the active environment.\n"
    "\n"
    "Exit codes: 0 all ranks succeeded; the code of the first rank that "
    "failed,\n"
    "128 + N if signal N ended it; 2 wrong flags; 126 PROGRAM cannot be run;\n"
    "127 PROGRAM not found; 1 the machine has no room for the job.\n"
    "\n"
    "Examples:\n"
    "  accelerate launch --num_processes 2 ./train --epochs 3\n"
    "  accelerate launch --cpu train.py";

int parse_num_processes(const std::string& text) {
  const auto number = config::parse_number<int>(text);
  if (!number || *number < 1 || *number > kMaxLocalRanks) {
    throw CLI::ValidationError(concat(
        "--num_processes ",
        text,
        ": expected a number from 1 to ",
        kMaxLocalRanks));
  }
  return *number;
}

} // namespace

void add_launch_command(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<LaunchOptions>();
  CLI::App* command = app.add_subcommand("launch", kDescription);
  command->footer(kFooter);
  command->set_help_flag("--help", "Print this and exit");
  command->formatter(std::make_shared<HelpFormat>(
      "accelerate launch [flags] PROGRAM [arguments]"));
  command->prefix_command();
  command->add_flag(
      "--cpu",
      options->cpu,
      "Use the CPU even where there is an accelerator (sets\n"
      "ACCELERATE_USE_CPU)");
  command
      ->add_option_function<std::string>(
          "--num_processes,--num-processes",
          [options](const std::string& text) {
            options->num_processes = parse_num_processes(text);
          },
          "Ranks to start (default 1)")
      ->type_name("N");
  commands[command] = [options](const std::vector<std::string>& rest) {
    options->program = rest.front();
    options->args.assign(rest.begin() + 1, rest.end());
    return launch_job(*options);
  };
}

} // namespace accelerate::cli
