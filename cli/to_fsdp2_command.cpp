// cli/to_fsdp2_command.cpp: `accelerate to-fsdp2 --config_file FILE`.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include "accelerate/config/config_file.h"
#include "accelerate/config/to_fsdp2.h"
#include "accelerate/error.h"
#include "accelerate/launch/exit_code.h"
#include "cli/plain_command.h"

namespace accelerate::cli {
namespace {

constexpr CommandText kText{
    "to-fsdp2",
    "--config_file FILE [flags]",
    "Convert a configuration of FSDP 1 to FSDP 2\n"
    "\n"
    "The sharding strategy becomes fsdp_reshard_after_forward; what has no\n"
    "counterpart is left out and named on standard error.",
    "Examples:\n"
    "  accelerate to-fsdp2 --config_file old.yaml --output_file new.yaml\n"
    "  accelerate to-fsdp2 --config_file job.yaml --overwrite"};

struct Flags {
  std::string config_file;
  std::string output_file;
  bool overwrite = false;
};

int convert(const Flags& flags) {
  constexpr const char* kWhere = "to-fsdp2";
  ACCELERATE_CHECK(
      flags.overwrite || !flags.output_file.empty(),
      ConfigError,
      kWhere,
      "no --output_file; give one, or --overwrite to replace '",
      flags.config_file,
      "'");
  std::error_code ignored;
  ACCELERATE_CHECK(
      flags.overwrite || !std::filesystem::exists(flags.output_file, ignored),
      ConfigError,
      kWhere,
      "'",
      flags.output_file,
      "' exists; give another --output_file, or --overwrite");
  const auto converted =
      config::to_fsdp2(config::load_config(flags.config_file).values);
  for (const std::string& note : converted.notes) {
    std::fputs(concat("accelerate to-fsdp2: ", note, '\n').c_str(), stderr);
  }
  config::save_config(
      flags.output_file.empty() ? flags.config_file : flags.output_file,
      converted.values);
  return kExitSuccess;
}

} // namespace

void add_to_fsdp2_command(CLI::App& app, Commands& commands) {
  auto flags = std::make_shared<Flags>();
  CLI::App& command = add_plain_command(
      app, commands, kText, [flags] { return convert(*flags); });
  command
      .add_option(
          both_spellings("config_file"),
          flags->config_file,
          "The configuration to convert")
      ->required()
      ->type_name("FILE");
  command
      .add_option(
          both_spellings("output_file"),
          flags->output_file,
          "Where the result goes (with --overwrite: FILE itself)")
      ->type_name("FILE");
  command.add_flag(
      "--overwrite", flags->overwrite, "Replace a file that is there");
}

} // namespace accelerate::cli
