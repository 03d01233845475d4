// cli/launch_command.cpp: `accelerate launch [flags] program [arguments]`.
#include <filesystem>
#include <memory>
#include <system_error>

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
    "and a module are run by the Python beside this program, else by that of\n"
    "the active environment.\n"
    "\n"
    "Exit codes: 0 all ranks succeeded; the code of the first rank that "
    "failed,\n"
    "128 + N if signal N ended it; 2 wrong flags; 126 PROGRAM cannot be run;\n"
    "127 PROGRAM not found; 1 the machine has no room for the job.\n"
    "\n"
    "Examples:\n"
    "  accelerate launch --num_processes 2 train.py --epochs 3\n"
    "  accelerate launch --cpu -m package.train\n"
    "  accelerate launch --num_processes 2 ./train";

int parse_num_processes(const std::string& text) {
  const auto number = config::parse_number<int>(text);
  if (!number || *number < 1 || *number > kMaxLocalRanks) {
    throw CLI::ValidationError(concat(
        "--num_processes ",
        text,
        ": expected a number from 1 to ",
        kMaxLocalRanks,
        ", then the program"));
  }
  return *number;
}

std::string parse_precision(const std::string& text) {
  if (text != "no" && text != "fp16" && text != "bf16") {
    throw CLI::ValidationError(concat(
        "--mixed_precision ",
        text,
        text == "fp8" ? " is not supported yet" : " is no precision",
        ", expected no, fp16 or bf16"));
  }
  return text;
}

/// A flag of the original of which only the value that asks for what happens
/// anyway is supported.
struct FixedFlag {
  const char* name;
  const char* other_spelling;
  std::string only_value;
  const char* description;
};

void add_fixed_flag(CLI::App& command, const FixedFlag& flag) {
  const auto accept = [flag](const std::string& text) {
    if (text != flag.only_value) {
      throw CLI::ValidationError(concat(
          flag.name,
          ' ',
          text,
          " is not supported yet, expected ",
          flag.only_value));
    }
  };
  command
      .add_option_function<std::string>(
          concat(flag.name, ',', flag.other_spelling), accept, flag.description)
      ->type_name(flag.only_value);
}

void add_flags(CLI::App& command, LaunchOptions& options) {
  command.set_help_flag("-h,--help", "Print this and exit");
  command.add_flag(
      "--cpu",
      options.cpu,
      "Use the CPU even where there is an accelerator (sets\n"
      "ACCELERATE_USE_CPU)");
  command.add_flag_callback(
      "--debug",
      [&options] { options.environment["ACCELERATE_DEBUG_MODE"] = "true"; },
      "Compare every exchange between ranks before it begins (sets\n"
      "ACCELERATE_DEBUG_MODE)");
  command
      .add_option_function<std::string>(
          "--num_processes,--num-processes",
          [&options](const std::string& text) {
            options.num_processes = parse_num_processes(text);
          },
          "Ranks to start (default 1)")
      ->type_name("N");
  command.add_flag_callback(
      "-m,--module",
      [&options] { options.kind = ProgramKind::kPythonModule; },
      "PROGRAM is a Python module, run as by python -m");
  command
      .add_option_function<std::string>(
          "--mixed_precision,--mixed-precision",
          [&options](const std::string& text) {
            options.environment["ACCELERATE_MIXED_PRECISION"] =
                parse_precision(text);
          },
          "Arithmetic of models that the program prepares: no, fp16\n"
          "or bf16 (sets ACCELERATE_MIXED_PRECISION)")
      ->type_name("PRECISION");
  const FixedFlag fixed_flags[] = {
      {"--num_machines",
       "--num-machines",
       "1",
       "Several machines are not supported yet"},
      {"--dynamo_backend",
       "--dynamo-backend",
       "no",
       "Compiling is not supported yet"}};
  for (const FixedFlag& flag : fixed_flags) {
    add_fixed_flag(command, flag);
  }
}

/// The folder of the running program, in whose Python environment, if it is
/// one, the module accelerate was installed with it.
std::string own_folder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

} // namespace

void add_launch_command(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<LaunchOptions>();
  CLI::App* command = app.add_subcommand("launch", kDescription);
  command->footer(kFooter);
  command->formatter(std::make_shared<HelpFormat>(
      "accelerate launch [flags] PROGRAM [arguments]"));
  command->prefix_command();
  add_flags(*command, *options);
  commands[command] = [options](const std::vector<std::string>& rest) {
    options->program = rest.front();
    options->args.assign(rest.begin() + 1, rest.end());
    options->python_folder = own_folder();
    return launch_job(*options);
  };
}

} // namespace accelerate::cli
