// cli/command_line.cpp: finds the subcommand; explains mistakes.
#include "cli/command_line.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "accelerate/config/nearest_name.h"
#include "accelerate/error.h"
#include "accelerate/launch/exit_code.h"
#include "cli/command_app.h"
#include "cli/foreign_flags.h"

namespace accelerate::cli {
namespace {

Action print(std::FILE* stream, std::string text, ExitCode code) {
  return [stream, text = std::move(text), code]() -> int {
    std::fputs(text.c_str(), stream);
    return code;
  };
}

/// `accelerate config show`
std::string full_name(const CLI::App& app) {
  return app.get_parent() ? full_name(*app.get_parent()) + ' ' + app.get_name()
                          : app.get_name();
}

Action refuse(const CLI::App& app, const std::string& what) {
  const std::string name = full_name(app);
  const char* join = what.ends_with('?') ? " See " : "; see ";
  return print(
      stderr, concat(name, ": ", what, join, name, " --help\n"), kExitUsage);
}

/// The flags that --help of `app` shows, with dashes, and its subcommands.
std::vector<std::string> known_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) {
      continue; // not offered
    }
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    names.push_back(command->get_name());
  }
  return names;
}

Action refuse_unknown(const CLI::App& app, const std::string& word) {
  const std::string typed = word.substr(0, word.find('='));
  if (app.get_name() == "launch" && word.starts_with('-')) {
    if (const auto explained = explain_foreign_flag(typed);
        !explained.empty()) {
      return refuse(app, explained);
    }
  }
  if (typed == "tpu-config") {
    return refuse(
        app, concat("'", typed, "' of the original is not supported yet"));
  }
  const std::string nearest = config::nearest_name(typed, known_names(app));
  return refuse(
      app,
      concat(
          "unknown ",
          word.starts_with('-') ? "flag '" : "command '",
          typed,
          "'",
          nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
}

/// What follows the flags.
struct Rest {
  std::vector<std::string> words;
  /// A `--` stood before them: even the first is no flag.
  bool is_marked;
};

Rest rest_of(const CLI::App& app, const CLI::App& command) {
  Rest rest{command.remaining(), false};
  if (rest.words.empty()) {
    // After a `--` CLI11 leaves the words with the parent.
    rest.words = app.remaining();
  }
  rest.is_marked = !rest.words.empty() && rest.words.front() == "--";
  if (rest.is_marked) {
    rest.words.erase(rest.words.begin());
  }
  return rest;
}

/// A command that takes its own words only.
Action run_plain(const CLI::App& command, const Command& run) {
  const std::vector<std::string> extra = command.remaining();
  if (extra.empty()) {
    return [run] { return run({}); };
  }
  if (extra.front().starts_with('-')) {
    return refuse_unknown(command, extra.front());
  }
  return refuse(command, concat("'", extra.front(), "' is one word too many"));
}

/// The innermost command that was named.
const CLI::App& chosen_command(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : chosen_command(*chosen.front());
}

Action choose(const CLI::App& app, const Commands& commands) {
  const auto chosen = app.get_subcommands();
  const CLI::App& command = chosen_command(app);
  if (!command.get_prefix_command()) {
    return run_plain(command, commands.at(&command));
  }
  Rest rest = rest_of(app, command);
  if (rest.words.empty()) {
    return refuse(
        command,
        chosen.empty() ? "no command given"
                       : "nothing to run: give a script or a program, or -m "
                         "and a module, as in 'accelerate launch train.py'");
  }
  const std::string& first = rest.words.front();
  if (chosen.empty() || (first.starts_with('-') && !rest.is_marked)) {
    return refuse_unknown(command, first);
  }
  return [run = commands.at(chosen.front()), words = std::move(rest.words)] {
    return run(words);
  };
}

} // namespace

Action read_command_line(const std::vector<std::string>& words) {
  Commands commands;
  const std::shared_ptr<CLI::App> made = make_command_app(commands);
  CLI::App& app = *made;
  // CLI11 takes the words off the end.
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  const auto chosen = [&]() -> const CLI::App& { return chosen_command(app); };
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    return print(stdout, chosen().help(), kExitSuccess);
  } catch (const CLI::CallForVersion& version) {
    return print(stdout, concat(version.what(), '\n'), kExitSuccess);
  } catch (const CLI::ParseError& error) {
    return refuse(chosen(), error.what());
  }
  return choose(app, commands);
}

} // namespace accelerate::cli
