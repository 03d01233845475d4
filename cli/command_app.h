// cli/command_app.h: all commands with their flags, ready to read a command
// line.
#pragma once

#include <memory>

#include <CLI/App.hpp>

#include "cli/commands.h"

namespace accelerate::cli {

/// @param commands gets what runs each command; it may refer to the app, which
///   must outlive it
[[nodiscard]] std::shared_ptr<CLI::App> make_command_app(Commands& commands);

} // namespace accelerate::cli
