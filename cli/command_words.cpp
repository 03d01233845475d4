// cli/command_words.cpp: reads the definitions of all commands.
#include "cli/command_words.h"

#include <algorithm>
#include <memory>
#include <sstream>
#include <string_view>

#include "accelerate/config/launch_option_table.h"
#include "cli/command_app.h"

namespace accelerate::cli {
namespace {

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    parts.push_back(part);
  }
  return parts;
}

/// The names without the second spelling, with `-` between words.
std::vector<std::string> shown_names(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) {
    names.push_back('-' + name);
  }
  for (const std::string& name : option.get_lnames()) {
    std::string other = name;
    std::replace(other.begin(), other.end(), '-', '_');
    const auto& all = option.get_lnames();
    if (other == name ||
        std::find(all.begin(), all.end(), other) == all.end()) {
      names.push_back("--" + name);
    }
  }
  return names;
}

/// All values of a flag of `launch` that has some, also when --help writes a
/// name for them.
std::string values_of(const CLI::App& command, const CLI::Option& option) {
  if (command.get_name() != "launch" || option.get_lnames().empty()) {
    return option.get_type_name();
  }
  const auto* row = config::find_launch_option(option.get_lnames().front());
  return row && row->kind == config::OptionKind::kChoice
      ? std::string(row->values)
      : option.get_type_name();
}

FlagWords describe(const CLI::App& command, const CLI::Option& option) {
  FlagWords flag;
  flag.names = shown_names(option);
  flag.description = one_line(option.get_description());
  if (option.get_items_expected_max() == 0) {
    return flag;
  }
  flag.value = option.get_type_name();
  const std::string values = values_of(command, option);
  if (values.find('|') != std::string::npos) {
    flag.kind = ValueKind::kChoice;
    flag.choices = split(values, '|');
  } else if (flag.value == "FILE" || flag.value == "PATH") {
    flag.kind = ValueKind::kFile;
  } else if (flag.value == "DIR" || flag.value == "FOLDER") {
    flag.kind = ValueKind::kFolder;
  } else {
    flag.kind = ValueKind::kText;
  }
  return flag;
}

/// `Usage: …`, the first line of --help, without the first word.
std::string usage_of(const CLI::App& command) {
  const std::string help = command.help();
  const std::size_t begin = std::string_view("Usage: ").size();
  return help.substr(begin, help.find('\n') - begin);
}

CommandWords describe(const CLI::App& command, const std::string& name) {
  CommandWords words;
  words.name = name;
  words.usage = usage_of(command);
  words.description = command.get_description();
  words.footer = command.get_footer();
  words.runs_program =
      command.get_prefix_command() && command.get_parent() != nullptr;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_group().empty() && !option->get_positional()) {
      words.flags.push_back(describe(command, *option));
    }
  }
  for (const CLI::App* sub : command.get_subcommands(nullptr)) {
    words.subcommands.push_back(sub->get_name());
  }
  return words;
}

/// Some commands add their flags only when they are chosen.
void add_late_flags(CLI::App& app, const std::string& name) {
  try {
    app.parse(std::vector<std::string>{"--help", name});
  } catch (const CLI::CallForHelp&) {
  }
}

} // namespace

std::vector<CommandWords> describe_commands() {
  Commands commands;
  const std::shared_ptr<CLI::App> app = make_command_app(commands);
  std::vector<CommandWords> all{describe(*app, "")};
  for (const std::string& name : all.front().subcommands) {
    add_late_flags(*app, name);
    const CLI::App& command = *app->get_subcommand(name);
    all.push_back(describe(command, name));
    for (const CLI::App* sub : command.get_subcommands(nullptr)) {
      all.push_back(describe(*sub, name + ' ' + sub->get_name()));
    }
  }
  return all;
}

} // namespace accelerate::cli
