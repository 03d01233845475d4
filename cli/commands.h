// cli/commands.h: the subcommands of the program `accelerate`.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace accelerate::cli {

/// Runs after the flags were accepted.
/// @param rest what follows the flags: the program and its arguments
/// @return the program's exit code: an ExitCode, or that of a rank
using Command = std::function<int(const std::vector<std::string>& rest)>;
using Commands = std::map<const CLI::App*, Command>;

/// `accelerate config`, with default, update and show: adds themselves to `app`
/// and `commands`.
void add_config_command(CLI::App& app, Commands& commands);

/// `accelerate launch`: adds flags and help to `app`, itself to `commands`.
void add_launch_command(CLI::App& app, Commands& commands);

/// `accelerate env`, likewise.
void add_env_command(CLI::App& app, Commands& commands);

/// `accelerate test`, likewise.
void add_test_command(CLI::App& app, Commands& commands);

/// `accelerate estimate-memory`, likewise.
void add_estimate_command(CLI::App& app, Commands& commands);

/// `accelerate merge-weights`, likewise.
void add_merge_command(CLI::App& app, Commands& commands);

/// `accelerate to-fsdp2`, likewise.
void add_to_fsdp2_command(CLI::App& app, Commands& commands);

/// `accelerate completion`, likewise.
void add_completion_command(CLI::App& app, Commands& commands);

} // namespace accelerate::cli
