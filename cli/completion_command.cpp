// cli/completion_command.cpp: `accelerate completion SHELL`; the manual page.
#include <memory>

#include "accelerate/launch/exit_code.h"
#include "cli/completion.h"
#include "cli/man_page.h"
#include "cli/plain_command.h"

namespace accelerate::cli {
namespace {

constexpr CommandText kText{
    "completion",
    "bash|zsh|fish",
    "Print a script by which a shell completes command lines\n"
    "\n"
    "It offers commands, flags, the choices of a flag, and files.",
    "Examples:\n"
    "  source <(accelerate completion bash)\n"
    "  accelerate completion zsh >\"${fpath[1]}/_accelerate\"\n"
    "  accelerate completion fish >~/.config/fish/completions/accelerate.fish"};

std::string script(const std::string& shell) {
  const auto commands = describe_commands();
  if (shell == "bash") {
    return bash_completion(commands);
  }
  if (shell == "zsh") {
    return zsh_completion(commands);
  }
  if (shell == "fish") {
    return fish_completion(commands);
  }
  return man_page(commands);
}

} // namespace

void add_completion_command(CLI::App& app, Commands& commands) {
  auto shell = std::make_shared<std::string>();
  CLI::App& command = add_plain_command(app, commands, kText, [shell] {
    print_all(script(*shell));
    return kExitSuccess;
  });
  // `man` is for the build, which installs the page with the scripts.
  add_argument(command, "SHELL", *shell, "bash, zsh or fish")
      .check([](const std::string& name) -> std::string {
        return name == "bash" || name == "zsh" || name == "fish" ||
                name == "man"
            ? ""
            : "'" + name +
                "' is no shell known here, expected bash, zsh or "
                "fish";
      });
}

} // namespace accelerate::cli
