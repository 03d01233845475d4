// accelerate/launch/launcher.cpp: checks the options, finds the program.
#include "accelerate/launch/launcher.h"

#include <cstdio>

#include "accelerate/error.h"
#include "accelerate/launch/job_report.h"
#include "accelerate/launch/program.h"
#include "accelerate/launch/supervisor.h"

namespace accelerate {

struct Launcher::Impl {
  LaunchOptions options;
  launch::Command command;
};

Launcher::Launcher(LaunchOptions options) {
  options.validate();
  const auto own = options.environment;
  launch::Command command = launch::resolve_command(
      options,
      [&own, process = process_environment()](const std::string& name) {
        const auto found = own.find(name);
        return found == own.end() ? process(name)
                                  : std::optional(found->second);
      });
  impl_ = std::make_unique<Impl>(Impl{std::move(options), std::move(command)});
}

Launcher::~Launcher() = default;

LaunchResult Launcher::run() {
  return launch::Supervisor(impl_->options, impl_->command).run();
}

int launch_job(const LaunchOptions& options) {
  int exit_code = kExitUsage;
  try {
    Launcher launcher(options);
    exit_code = kExitFailure;
    return launcher.run().exit_code;
  } catch (const ProgramError& error) {
    exit_code = error.exit_code();
    std::fputs(launch::notice(error.what()).c_str(), stderr);
  } catch (const ConfigError& error) {
    std::fputs(launch::notice(error.what()).c_str(), stderr);
  }
  return exit_code;
}

} // namespace accelerate
