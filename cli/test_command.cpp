// cli/test_command.cpp: `accelerate test`: launches the self-test program.
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <system_error>

#include "accelerate/error.h"
#include "accelerate/launch/exit_code.h"
#include "cli/command_line.h"
#include "cli/plain_command.h"

namespace accelerate::cli {
namespace {

namespace fs = std::filesystem;

constexpr CommandText kText{
    "test",
    "[flags]",
    "Check that training works in the configured world\n"
    "\n"
    "Launches the program accelerate-self-test, which lies beside this one, "
    "as\n"
    "'accelerate launch' would launch a program of yours, and prints one line\n"
    "for each check: topology, collectives, data sharding, random numbers, "
    "and\n"
    "a training that must end as on one process.",
    "Exit codes: 0 all checks passed; 1 one failed, its line says what; "
    "others\n"
    "as those of 'accelerate launch'.\n"
    "\n"
    "Examples:\n"
    "  accelerate test\n"
    "  accelerate test --config_file cluster.yaml"};

fs::path self_test_program() {
  std::error_code error;
  const fs::path program =
      fs::read_symlink("/proc/self/exe", error).parent_path() /
      "accelerate-self-test";
  ACCELERATE_CHECK(
      ::access(program.c_str(), X_OK) == 0,
      ConfigError,
      "test",
      "'",
      program.string(),
      "' is not installed; the Python package and builds without the engine do "
      "not have it: install the C++ library, and run its accelerate");
  return program;
}

} // namespace

void add_test_command(CLI::App& app, Commands& commands) {
  auto config_file = std::make_shared<std::string>();
  CLI::App& command = add_plain_command(app, commands, kText, [config_file] {
    std::vector<std::string> words{"launch"};
    if (!config_file->empty()) {
      words.insert(words.end(), {"--config_file", *config_file});
    }
    words.push_back(self_test_program());
    return read_command_line(words)();
  });
  command
      .add_option(
          both_spellings("config_file"),
          *config_file,
          "Describes the world, in place of the default configuration")
      ->type_name("FILE");
}

} // namespace accelerate::cli
