// accelerate/config/launch_option_table.h: the one list of what
// `accelerate launch` can be told, from which flags, keys of the configuration
// file, help, completion and documentation are made.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate::config {

/// What a value looks like.
enum class OptionKind {
  kSwitch, ///< a flag without a value; true or false in a file
  kYesNo, ///< a flag whose value is true or false
  kThreeYesNo, ///< three of them, `,` between
  kCount, ///< a whole number from `least` to `most`
  kReal, ///< a decimal number, not negative
  kChoice, ///< one of `values`
  kText,
};

/// Where an option stands in --help; the order is that of --help.
enum class OptionSection {
  kGeneral,
  kHardware,
  kResources,
  kJob,
  kSupervision,
  kCompiling,
  kFsdp,
  kParallelism,
  kFp8,
  kMpi,
  kTpu,
  kDeepSpeed,
  kMegatron,
  kAws,
};

/// One row. All texts are literals.
struct LaunchOption {
  /// Words joined by `_`; the flag is `--name`, also with `-` between words.
  std::string_view name{};
  OptionKind kind = OptionKind::kText;
  OptionSection section = OptionSection::kGeneral;
  /// What --help writes for the value; of a choice all values, `|` between.
  std::string_view values{};
  /// What counts when nothing is said; empty: decided when the job starts, or
  /// nothing. Switches are off.
  std::string_view default_value{};
  /// One sentence without a full stop.
  std::string_view help{};
  /// In the configuration file; `map.key` inside one of its maps. Empty: none.
  std::string_view key{};
  /// What the ranks get the value in; empty: the launcher itself acts on it.
  std::string_view variable{};
  /// Why only the default is accepted; empty: supported.
  std::string_view refusal{};
  /// `-x` for `--name`; 0: none.
  char short_name = 0;
  /// There is no flag, only a key.
  bool is_file_only = false;
  int least = 0;
  int most = std::numeric_limits<int>::max();
};

/// Every option, those that are refused included, ordered by section.
/// Source: `accelerate launch` of Hugging Face Accelerate 1.15 (names, keys,
/// variables, defaults).
[[nodiscard]] ACCELERATE_API std::span<const LaunchOption>
launch_option_table();

/// @param name with `_` or `-`, without dashes before it
/// @return nullptr when there is none
[[nodiscard]] ACCELERATE_API const LaunchOption* find_launch_option(
    std::string_view name);

/// Such as "FSDP".
[[nodiscard]] ACCELERATE_API std::string_view section_title(
    OptionSection section);

/// Why the option is refused, its own reason or that of its section; empty: it
/// is supported.
[[nodiscard]] ACCELERATE_API std::string_view refusal_of(
    const LaunchOption& option);

/// Whether the option takes a word after its flag.
[[nodiscard]] inline bool takes_value(const LaunchOption& option) {
  return option.kind != OptionKind::kSwitch;
}

/// What is wrong with a value, as in "expected a number from 1 to 1024"; empty:
/// nothing. Whether the value is supported is not looked at.
[[nodiscard]] ACCELERATE_API std::string problem_with(
    const LaunchOption& option,
    std::string_view value);

/// Why a value of the right form cannot be had, as in "is not supported yet";
/// empty: it can. Of an option that is refused only what asks for nothing (the
/// default, an empty value, no) can be had.
[[nodiscard]] ACCELERATE_API std::string refusal_of(
    const LaunchOption& option,
    std::string_view value);

} // namespace accelerate::config
