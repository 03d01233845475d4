// cli/command_app.cpp: all commands with their flags, ready to read a command
// line.
#include "cli/command_app.h"

#include "accelerate/version.h"
#include "cli/help_format.h"

namespace accelerate::cli {

std::shared_ptr<CLI::App> make_command_app(Commands& commands) {
  auto made = std::make_shared<CLI::App>(
      "Run a training program on any number of processes.", "accelerate");
  CLI::App& app = *made;
  app.set_help_flag("-h,--help", "Print this and exit");
  app.set_version_flag(
      "--version",
      "accelerate " ACCELERATE_VERSION_STRING,
      "Print the version and exit");
  app.formatter(std::make_shared<HelpFormat>("accelerate [flags] COMMAND …"));
  app.footer("accelerate COMMAND --help explains a command.");
  app.prefix_command();
  add_config_command(app, commands);
  add_launch_command(app, commands);
  add_env_command(app, commands);
  add_test_command(app, commands);
  add_estimate_command(app, commands);
  add_merge_command(app, commands);
  add_to_fsdp2_command(app, commands);
  add_completion_command(app, commands);
  return made;
}

} // namespace accelerate::cli
