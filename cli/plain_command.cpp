// cli/plain_command.cpp: what the commands share that start no ranks.
#include "cli/plain_command.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <utility>

#include "accelerate/config/parse_number.h"
#include "accelerate/error.h"
#include "accelerate/launch/exit_code.h"
#include "cli/help_format.h"

namespace accelerate::cli {
namespace {

int run_reporting(const std::string& name, const std::function<int()>& run) {
  const auto report = [&](const std::exception& error, ExitCode code) {
    std::fputs(
        concat("accelerate ", name, ": ", error.what(), '\n').c_str(), stderr);
    return code;
  };
  try {
    return run();
  } catch (const ConfigError& error) {
    return report(error, kExitUsage);
  } catch (const std::exception& error) {
    return report(error, kExitFailure);
  }
}

} // namespace

CLI::App& add_plain_command(
    CLI::App& app,
    Commands& commands,
    const CommandText& text,
    std::function<int()> run) {
  CLI::App* command = app.add_subcommand(text.name, text.description);
  command->set_help_flag("-h,--help", "Print this and exit");
  command->footer(text.footer);
  command->formatter(std::make_shared<HelpFormat>(
      concat("accelerate ", text.name, ' ', text.usage)));
  // Not as launch, whose words after the flags belong to another program. What
  // is left over is explained with the nearest flag.
  command->prefix_command(false);
  command->allow_extras();
  commands[command] = [name = std::string(text.name),
                       run = std::move(run)](const std::vector<std::string>&) {
    return run_reporting(name, run);
  };
  return *command;
}

std::string both_spellings(const std::string& name) {
  std::string dashed = name;
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  return dashed == name ? "--" + name : concat("--", name, ",--", dashed);
}

CLI::Option& add_argument(
    CLI::App& command,
    const std::string& name,
    std::string& value,
    const std::string& description) {
  CLI::Option* option = command.add_option(name, value, description);
  option->required()->group("Arguments");
  return *option;
}

int parse_positive(const std::string& flag, const std::string& text) {
  const auto number = config::parse_number<int>(text);
  if (!number || *number < 1) {
    throw CLI::ValidationError(concat(
        "--", flag, ' ', text, ": expected a whole number of at least 1"));
  }
  return *number;
}

void print_all(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    throw std::runtime_error(
        concat("standard output: ", describe_errno(errno)));
  }
}

} // namespace accelerate::cli
