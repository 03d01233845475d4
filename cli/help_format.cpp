// cli/help_format.cpp: two columns, plain text.
#include "cli/help_format.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace accelerate::cli {
namespace {

constexpr std::size_t kColumn = 24;

/// Broken between words so that no line is longer than `width`, except by a
/// word that is; line ends that are there stay.
std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines{""};
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    const std::string_view word = text.substr(0, end);
    if (!lines.back().empty() && lines.back().size() + 1 + end > width) {
      lines.emplace_back();
    }
    if (!lines.back().empty()) {
      lines.back() += ' ';
    }
    lines.back() += word;
    if (end < text.size() && text[end] == '\n') {
      lines.emplace_back();
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// `  left      right`, further lines of `right` under its first.
std::string row(const std::string& left, std::string_view right) {
  constexpr std::size_t kWidth = 80;
  std::string text = "  " + left;
  // A long left side has a line of its own.
  text += left.size() + 4 > kColumn ? "\n" + std::string(kColumn, ' ')
                                    : std::string(kColumn - text.size(), ' ');
  bool is_first = true;
  for (const std::string& line : wrapped(right, kWidth - kColumn)) {
    text += is_first ? line : '\n' + std::string(kColumn, ' ') + line;
    is_first = false;
  }
  return text + '\n';
}

/// `-a, --b N`; of two spellings of a name the one with `_`.
std::string names_of(const CLI::Option& option) {
  if (option.get_positional()) {
    return option.get_name(true);
  }
  std::string text;
  for (const std::string& name : option.get_snames()) {
    text += (text.empty() ? "-" : ", -") + name;
  }
  const bool takes_value = option.get_items_expected_max() > 0;
  const std::vector<std::string>& names = option.get_lnames();
  for (const std::string& name : names) {
    std::string other = name;
    std::replace(other.begin(), other.end(), '-', '_');
    if (other != name &&
        std::find(names.begin(), names.end(), other) != names.end()) {
      continue;
    }
    text += (text.empty() ? "--" : ", --") + name;
    text += takes_value ? ' ' + option.get_type_name() : "";
  }
  return text;
}

/// Flags by group, groups in the order in which they first appear; those of the
/// group without a name are not shown.
std::string flags_of(const CLI::App& app) {
  const auto options = app.get_options();
  std::vector<std::string> groups;
  for (const CLI::Option* option : options) {
    const std::string& group = option->get_group();
    if (!group.empty() &&
        std::find(groups.begin(), groups.end(), group) == groups.end()) {
      groups.push_back(group);
    }
  }
  std::string text;
  for (const std::string& group : groups) {
    // CLI11's name for what was given none.
    text += '\n' + (group == "Options" ? "Flags" : group) + ":\n";
    for (const CLI::Option* option : options) {
      if (option->get_group() == group) {
        text += row(names_of(*option), option->get_description());
      }
    }
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
  text += flags_of(*app);
  const std::string footer = app->get_footer();
  return text + (footer.empty() ? "" : '\n' + footer + '\n');
}

} // namespace accelerate::cli
