// cli/completion.cpp: scripts by which shells complete command lines.
#include "cli/completion.h"

#include <algorithm>
#include <string_view>

#include "accelerate/error.h"

namespace accelerate::cli {
namespace {

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : between) + word;
  }
  return text;
}

/// Each character of `special` after a backslash.
std::string escaped(std::string_view text, std::string_view special) {
  std::string result;
  for (const char c : text) {
    result += special.find(c) == std::string_view::npos ? "" : "\\";
    result += c;
  }
  return result;
}

/// For a place between single quotes of sh.
std::string single_quoted(std::string_view text) {
  std::string result;
  for (const char c : text) {
    result += c == '\'' ? "'\\''" : std::string(1, c);
  }
  return '\'' + result + '\'';
}

/// The commands that are not the program itself.
std::vector<CommandWords> without_root(
    const std::vector<CommandWords>& commands) {
  std::vector<CommandWords> rest;
  std::copy_if(
      commands.begin(),
      commands.end(),
      std::back_inserter(rest),
      [](const CommandWords& command) { return !command.name.empty(); });
  return rest;
}

std::string bash_values(const FlagWords& flag) {
  switch (flag.kind) {
    case ValueKind::kChoice:
      return concat("-W '", joined(flag.choices, " "), "'");
    case ValueKind::kFile:
      return "-f";
    case ValueKind::kFolder:
      return "-d";
    default:
      return "";
  }
}

/// What follows a flag that takes a value; `-` and `_` are the same.
std::string bash_cases(const std::vector<CommandWords>& commands) {
  std::string text;
  for (const CommandWords& command : commands) {
    for (const FlagWords& flag : command.flags) {
      if (flag.kind == ValueKind::kNone) {
        continue;
      }
      for (const std::string& name : flag.names) {
        std::string pattern = command.name + ' ' + name;
        std::replace(pattern.begin(), pattern.end(), '-', '_');
        text += concat(
            "    '", pattern, "') values=\"", bash_values(flag), "\" ;;\n");
      }
    }
  }
  return text;
}

std::string bash_words(const std::vector<CommandWords>& commands) {
  std::string text;
  for (const CommandWords& command : commands) {
    std::vector<std::string> flags;
    for (const FlagWords& flag : command.flags) {
      flags.insert(flags.end(), flag.names.begin(), flag.names.end());
    }
    text += concat(
        "    '",
        command.name,
        "') flags='",
        joined(flags, " "),
        "' subcommands='",
        joined(command.subcommands, " "),
        "' runs=",
        command.runs_program ? "1" : "",
        " ;;\n");
  }
  return text;
}

constexpr const char* kBashHead =
    "# Completion for bash of the program accelerate, made by\n"
    "# `accelerate completion bash`.\n"
    "\n"
    "# Sets flags, subcommands and runs of the command $1.\n"
    "_accelerate_words() {\n"
    "  case $1 in\n";

constexpr const char* kBashValues =
    "    *) flags= subcommands= runs= ;;\n"
    "  esac\n"
    "}\n"
    "\n"
    "# Sets takes, and values to the words of compgen, for `COMMAND FLAG`.\n"
    "_accelerate_values() {\n"
    "  takes=1 values=\n"
    "  case ${1//-/_} in\n";

constexpr const char* kBashTail =
    "    *) takes= ;;\n"
    "  esac\n"
    "}\n"
    "\n"
    "_accelerate() {\n"
    "  local command= flags subcommands runs takes values word last= program=\n"
    "  local current=${COMP_WORDS[COMP_CWORD]} at=1\n"
    "  _accelerate_words ''\n"
    "  while ((at < COMP_CWORD)); do\n"
    "    word=${COMP_WORDS[at]}\n"
    "    if [[ -n $last && $word == '=' ]]; then\n"
    "      :\n"
    "    elif [[ -n $last ]]; then\n"
    "      last=\n"
    "    elif [[ $word == -* ]]; then\n"
    "      _accelerate_values \"$command $word\"\n"
    "      [[ -n $takes ]] && last=$word\n"
    "    elif [[ \" $subcommands \" == *\" $word \"* ]]; then\n"
    "      command=\"${command:+$command }$word\"\n"
    "      _accelerate_words \"$command\"\n"
    "    elif [[ -n $runs ]]; then\n"
    "      program=1\n"
    "      break\n"
    "    fi\n"
    "    ((at++))\n"
    "  done\n"
    "  COMPREPLY=()\n"
    "  if [[ -n $program ]]; then\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
    "  elif [[ -n $last ]]; then\n"
    "    [[ $current == '=' ]] && current=\n"
    "    _accelerate_values \"$command $last\"\n"
    "    if [[ -n $values ]]; then\n"
    "      [[ $values == -[fd] ]] && compopt -o filenames 2>/dev/null\n"
    "      mapfile -t COMPREPLY < <(eval \"compgen $values\" -- "
    "'\"$current\"')\n"
    "    fi\n"
    "  elif [[ $current == -* ]]; then\n"
    "    [[ ${current:2} == *-* ]] && flags=\"$flags ${flags//_/-}\"\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$current\")\n"
    "  elif [[ -n $subcommands ]]; then\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$subcommands\" -- "
    "\"$current\")\n"
    "  else\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
    "  fi\n"
    "}\n"
    "\n"
    "complete -F _accelerate accelerate\n";

std::string zsh_value(const FlagWords& flag) {
  const std::string name = escaped(flag.value, ":[]\\");
  switch (flag.kind) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kChoice:
      return concat(':', "value", ":(", joined(flag.choices, " "), ')');
    case ValueKind::kFile:
      return concat(':', name, ":_files");
    case ValueKind::kFolder:
      return concat(':', name, ":_files -/");
    default:
      return concat(':', name, ": ");
  }
}

std::string zsh_command(const CommandWords& command) {
  std::string text = "      _arguments";
  for (const FlagWords& flag : command.flags) {
    for (const std::string& name : flag.names) {
      const bool takes_value = flag.kind != ValueKind::kNone;
      const char* const join =
          !takes_value ? "" : (name.starts_with("--") ? "=" : "+");
      text += " \\\n        " +
          single_quoted(concat(
              name,
              join,
              '[',
              escaped(flag.description, "[]:\\"),
              ']',
              zsh_value(flag)));
    }
  }
  if (!command.subcommands.empty()) {
    text += " \\\n        " +
        single_quoted(
                concat("1:command:(", joined(command.subcommands, " "), ')'));
  } else {
    text += " \\\n        " +
        single_quoted(
                command.runs_program ? "*::program:_files" : "*:file:_files");
  }
  return text + '\n';
}

std::string fish_flag(const CommandWords& command, const FlagWords& flag) {
  std::string text = "complete -c accelerate -n " +
      single_quoted(command.name.empty()
                        ? "__fish_use_subcommand"
                        : concat("__fish_seen_subcommand_from ", command.name));
  for (const std::string& name : flag.names) {
    text += name.starts_with("--") ? " -l " + name.substr(2)
                                   : " -s " + name.substr(1);
  }
  switch (flag.kind) {
    case ValueKind::kNone:
      break;
    case ValueKind::kChoice:
      text += " -x -a " + single_quoted(joined(flag.choices, " "));
      break;
    case ValueKind::kFile:
    case ValueKind::kFolder:
      text += " -r -F";
      break;
    case ValueKind::kText:
      text += " -x";
      break;
  }
  return text + " -d " + single_quoted(escaped(flag.description, "\\")) + '\n';
}

} // namespace

std::string bash_completion(const std::vector<CommandWords>& commands) {
  return kBashHead + bash_words(commands) + kBashValues + bash_cases(commands) +
      kBashTail;
}

std::string zsh_completion(const std::vector<CommandWords>& commands) {
  std::string text =
      "#compdef accelerate\n"
      "# Completion for zsh of the program accelerate, made by\n"
      "# `accelerate completion zsh`.\n"
      "\n"
      "_accelerate() {\n"
      "  local state line\n"
      "  local -a commands\n"
      "  commands=(\n";
  for (const CommandWords& command : without_root(commands)) {
    if (command.name.find(' ') == std::string::npos) {
      text += "    " +
          single_quoted(concat(
              command.name, ':', escaped(command.summary(), ":\\"))) +
          '\n';
    }
  }
  text +=
      "  )\n"
      "  _arguments -C '(- *)'{-h,--help}'[Print help]' \\\n"
      "    '(- *)--version[Print the version]' \\\n"
      "    '1:command:->command' '*::words:->words'\n"
      "  case $state in\n"
      "  command) _describe command commands ;;\n"
      "  words)\n"
      "    case $line[1] in\n";
  for (const CommandWords& command : without_root(commands)) {
    if (command.name.find(' ') == std::string::npos) {
      text += concat(
          "    ", command.name, ")\n", zsh_command(command), "      ;;\n");
    }
  }
  return text +
      "    esac ;;\n"
      "  esac\n"
      "}\n"
      "\n"
      "if [[ $funcstack[1] == _accelerate ]]; then\n"
      "  _accelerate \"$@\"\n"
      "elif (( $+functions[compdef] )); then\n"
      "  compdef _accelerate accelerate\n"
      "fi\n";
}

std::string fish_completion(const std::vector<CommandWords>& commands) {
  std::string text =
      "# Completion for fish of the program accelerate, made by\n"
      "# `accelerate completion fish`.\n"
      "complete -c accelerate -n __fish_use_subcommand -f\n";
  for (const CommandWords& command : commands) {
    const bool is_sub = command.name.find(' ') != std::string::npos;
    if (is_sub) {
      continue;
    }
    if (!command.name.empty()) {
      text += concat(
          "complete -c accelerate -n __fish_use_subcommand -a ",
          command.name,
          " -d ",
          single_quoted(escaped(command.summary(), "\\")),
          '\n');
    }
    if (!command.subcommands.empty() && !command.name.empty()) {
      text += concat(
          "complete -c accelerate -n ",
          single_quoted("__fish_seen_subcommand_from " + command.name),
          " -f -a ",
          single_quoted(joined(command.subcommands, " ")),
          '\n');
    }
    for (const FlagWords& flag : command.flags) {
      text += fish_flag(command, flag);
    }
  }
  return text;
}

} // namespace accelerate::cli
