// cli/help_format.h: the layout of --help, the same with every version of
// CLI11.
#pragma once

#include <string>
#include <utility>

#include <CLI/App.hpp>
#include <CLI/FormatterFwd.hpp>

namespace accelerate::cli {

/// Usage, description, commands, flags, footer; flags by all their names.
class HelpFormat : public CLI::FormatterBase {
 public:
  /// @param usage such as `accelerate launch [flags] PROGRAM [arguments]`
  explicit HelpFormat(std::string usage) : usage_(std::move(usage)) {}

  std::string make_help(
      const CLI::App* app,
      std::string name,
      CLI::AppFormatMode mode) const override;

 private:
  std::string usage_;
};

} // namespace accelerate::cli
