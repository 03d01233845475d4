// cli/plain_command.h: what the commands share that start no ranks.
#pragma once

#include <functional>
#include <string>

#include <CLI/App.hpp>

#include "cli/commands.h"

namespace accelerate::cli {

/// The words of a command's --help.
struct CommandText {
  const char* name;
  const char* usage; ///< after `accelerate NAME `
  const char* description; ///< the first line also for `accelerate --help`
  const char* footer = "";
};

/// Adds a command that takes no words but its flags and arguments.
/// @param run returns the exit code. Errors that it throws are printed with the
///   command's name; the code is kExitUsage for a ConfigError, else
///   kExitFailure
/// @return for its flags
CLI::App& add_plain_command(
    CLI::App& app,
    Commands& commands,
    const CommandText& text,
    std::function<int()> run);

/// Both spellings of a flag, as CLI11 wants them: `--a_b,--a-b`.
/// @param name without dashes, words joined by `_`
[[nodiscard]] std::string both_spellings(const std::string& name);

/// Adds an argument that is no flag; `name` is shown, such as `MODEL`.
CLI::Option& add_argument(
    CLI::App& command,
    const std::string& name,
    std::string& value,
    const std::string& description);

/// A whole number from 1 up to 2^31 - 1.
/// @throws CLI::ValidationError naming the flag
[[nodiscard]] int parse_positive(
    const std::string& flag,
    const std::string& text);

/// Writes to standard output.
/// @throws std::runtime_error when the reader is gone or the disk full
void print_all(const std::string& text);

} // namespace accelerate::cli
