// cli/main.cpp: the program `accelerate`: finds the subcommand and runs it.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "accelerate/error.h"
#include "accelerate/launch/exit_code.h"
#include "accelerate/version.h"
#include "cli/commands.h"
#include "cli/help_format.h"
#include "cli/nearest_name.h"

namespace accelerate::cli {
namespace {

/// Standard streams that are closed would be taken by the next file opened.
void open_standard_streams() {
  while (true) {
    const int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || fd > STDERR_FILENO) {
      ::close(fd);
      return;
    }
    ::fcntl(fd, F_SETFD, 0);
  }
}

int fail_usage(const CLI::App& app, const std::string& what) {
  const std::string name = app.get_parent()
      ? app.get_parent()->get_name() + ' ' + app.get_name()
      : app.get_name();
  std::fputs(
      concat(
          name,
          ": ",
          what,
          what.ends_with('?') ? " See " : "; see ",
          name,
          " --help\n")
          .c_str(),
      stderr);
  return kExitUsage;
}

/// All flags of `app`, with dashes, and its subcommands.
std::vector<std::string> known_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    names.push_back(command->get_name());
  }
  return names;
}

int fail_unknown(const CLI::App& app, const std::string& word) {
  const std::string typed = word.substr(0, word.find('='));
  const std::string nearest = nearest_name(typed, known_names(app));
  return fail_usage(
      app,
      concat(
          "unknown ",
          word.starts_with('-') ? "flag '" : "command '",
          typed,
          "'",
          nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
}

/// What follows the flags. A `--` before it ends the flags; CLI11 then leaves
/// the words with the parent.
std::vector<std::string>
rest_of(const CLI::App& app, const CLI::App& command, bool& is_marked) {
  std::vector<std::string> rest = command.remaining();
  if (rest.empty()) {
    rest = app.remaining();
  }
  is_marked = !rest.empty() && rest.front() == "--";
  if (is_marked) {
    rest.erase(rest.begin());
  }
  return rest;
}

int run(int argc, char** argv) {
  CLI::App app(
      "Run a training program on any number of processes.", "accelerate");
  app.set_help_flag("--help", "Print this and exit");
  app.set_version_flag(
      "--version",
      "accelerate " ACCELERATE_VERSION_STRING,
      "Print the version and exit");
  app.formatter(std::make_shared<HelpFormat>("accelerate [flags] COMMAND …"));
  app.footer("accelerate COMMAND --help explains a command.");
  app.prefix_command();
  std::map<const CLI::App*, Command> commands;
  Command launch = add_launch_command(app);
  for (CLI::App* command : app.get_subcommands(nullptr)) {
    commands[command] = launch;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted) == 0 ? kExitSuccess : kExitFailure;
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    return fail_usage(chosen.empty() ? app : *chosen.front(), error.what());
  }
  const auto chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  bool is_marked = false;
  const std::vector<std::string> rest = rest_of(app, command, is_marked);
  if (rest.empty()) {
    return fail_usage(
        command, chosen.empty() ? "no command given" : "no program given");
  }
  if (chosen.empty() || (rest.front().starts_with('-') && !is_marked)) {
    return fail_unknown(command, rest.front());
  }
  return commands.at(chosen.front())(rest);
}

} // namespace
} // namespace accelerate::cli

int main(int argc, char** argv) {
  try {
    accelerate::cli::open_standard_streams();
    return accelerate::cli::run(argc, argv);
  } catch (const std::exception& error) {
    std::fputs(
        accelerate::concat("accelerate: ", error.what(), '\n').c_str(), stderr);
  } catch (...) {
    std::fputs("accelerate: unknown error\n", stderr);
  }
  return accelerate::kExitFailure;
}
