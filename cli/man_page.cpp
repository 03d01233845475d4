// cli/man_page.cpp: the manual page accelerate(1).
#include "cli/man_page.h"

#include <sstream>
#include <string_view>

#include "accelerate/error.h"
#include "accelerate/version.h"

namespace accelerate::cli {
namespace {

/// One line of text: backslashes and dashes are written out, and a line that
/// begins with a control character is none.
std::string roff(std::string_view line) {
  std::string text =
      line.starts_with('.') || line.starts_with('\'') ? "\\&" : "";
  for (const char c : line) {
    if (c == '\\') {
      text += "\\e";
    } else if (c == '-') {
      text += "\\-";
    } else if (c == '`' || c == '\'') {
      text += c == '`' ? "\\(ga" : "\\(aq";
    } else {
      text += c;
    }
  }
  return text;
}

/// Paragraphs; lines that are indented stay as they are, and so does a list of
/// examples under a line that ends with a colon.
std::string paragraphs(const std::string& text) {
  std::string page;
  std::istringstream lines(text);
  bool is_verbatim = false;
  for (std::string line; std::getline(lines, line);) {
    const bool is_indented = line.starts_with("  ");
    if (is_indented != is_verbatim) {
      page += is_indented ? ".RS\n.nf\n" : ".fi\n.RE\n";
      is_verbatim = is_indented;
    }
    if (line.empty()) {
      page += ".PP\n";
      continue;
    }
    page += roff(is_indented ? line.substr(2) : line) + '\n';
  }
  return page + (is_verbatim ? ".fi\n.RE\n" : "");
}

std::string flags(const CommandWords& command) {
  std::string page;
  for (const FlagWords& flag : command.flags) {
    page += ".TP\n";
    std::string names;
    for (const std::string& name : flag.names) {
      names += concat(names.empty() ? "" : ", ", "\\fB", roff(name), "\\fR");
    }
    page += names;
    page += flag.value.empty() ? "" : " \\fI" + roff(flag.value) + "\\fR";
    page += '\n' + roff(flag.description) + '\n';
  }
  return page;
}

} // namespace

std::string man_page(const std::vector<CommandWords>& commands) {
  const CommandWords& program = commands.front();
  std::string page = concat(
      ".TH ACCELERATE 1 \"\" \"accelerate " ACCELERATE_VERSION_STRING
      "\" \"User Commands\"\n.SH NAME\naccelerate \\- ",
      roff(program.summary()),
      "\n.SH SYNOPSIS\n");
  for (const CommandWords& command : commands) {
    if (!command.name.empty()) {
      page += "\\fB" + roff(command.usage) + "\\fR\n.br\n";
    }
  }
  page += ".SH OPTIONS\n" + flags(program);
  page += ".SH COMMANDS\n";
  for (const CommandWords& command : commands) {
    if (command.name.empty()) {
      continue;
    }
    page += concat(".SS accelerate ", roff(command.name), '\n');
    page += paragraphs(command.description) + flags(command);
    if (!command.footer.empty()) {
      page += ".PP\n" + paragraphs(command.footer);
    }
  }
  return page;
}

} // namespace accelerate::cli
