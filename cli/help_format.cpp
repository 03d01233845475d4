// cli/help_format.cpp: two columns, plain text.
#include "cli/help_format.h"

#include <string_view>
#include <vector>

namespace accelerate::cli {
namespace {

/// `  left      right`, further lines of `right` under its first.
std::string row(const std::string& left, std::string_view right) {
  constexpr std::size_t kColumn = 24;
  std::string text = "  " + left;
  // A long left side has a line of its own.
  text += left.size() + 4 > kColumn ? "\n" + std::string(kColumn, ' ')
                                    : std::string(kColumn - text.size(), ' ');
  for (const char c : right) {
    text += c;
    if (c == '\n') {
      text += std::string(kColumn, ' ');
    }
  }
  return text + '\n';
}

/// `-a, --b N, --c N`
std::string names_of(const CLI::Option& option) {
  std::string text;
  for (const std::string& name : option.get_snames()) {
    text += (text.empty() ? "-" : ", -") + name;
  }
  const bool takes_value = option.get_items_expected_max() > 0;
  for (const std::string& name : option.get_lnames()) {
    text += (text.empty() ? "--" : ", --") + name;
    text += takes_value ? ' ' + option.get_type_name() : "";
  }
  return text;
}

} // namespace

std::string HelpFormat::make_help(
    const CLI::App* app,
    std::string /*name*/,
    CLI::AppFormatMode /*mode*/) const {
  std::string text = "Usage: " + usage_ + "\n\n" + app->get_description();
  text += '\n';
  const auto commands = app->get_subcommands(nullptr);
  text += commands.empty() ? "" : "\nCommands:\n";
  for (const CLI::App* command : commands) {
    const std::string description = command->get_description();
    text +=
        row(command->get_name(), description.substr(0, description.find('\n')));
  }
  text += "\nFlags:\n";
  for (const CLI::Option* option : app->get_options()) {
    text += row(names_of(*option), option->get_description());
  }
  const std::string footer = app->get_footer();
  return text + (footer.empty() ? "" : '\n' + footer + '\n');
}

} // namespace accelerate::cli
