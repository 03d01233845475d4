// accelerate/config/launch_settings.h: what `accelerate launch` is told, by
// flags, variables, a file and defaults, with the origin of every value.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/config/launch_option_table.h"
#include "accelerate/config/rank_environment.h"

namespace accelerate::config {

/// Who said so; a later one outranks an earlier one.
enum class ValueSource { kDefault, kFile, kVariable, kFlag };

/// A value that somebody gave.
struct GivenValue {
  const LaunchOption* option = nullptr;
  std::string value{}; ///< problem_with() finds nothing, unless a variable's
  /// As a user would look for it: `--cpu`, `OMP_NUM_THREADS`, `path:12`.
  std::string place{};
};

/// The value of one option that counts.
struct Setting {
  const LaunchOption* option = nullptr;
  std::string value{}; ///< empty: none
  ValueSource source = ValueSource::kDefault;
  std::string place{}; ///< empty for defaults
};

/// Every option with its value.
class ACCELERATE_API LaunchSettings {
 public:
  /// @param flags,file no option twice
  /// @param environment a variable that is set counts for the option that sets
  ///   it, as it is: whether its value makes sense is for its reader to say
  LaunchSettings(
      const std::vector<GivenValue>& flags,
      const std::vector<GivenValue>& file,
      const EnvironmentLookup& environment);

  [[nodiscard]] std::span<const Setting> all() const {
    return settings_;
  }
  /// @param name one of the table
  [[nodiscard]] const Setting& at(std::string_view name) const;
  [[nodiscard]] const std::string& text(std::string_view name) const {
    return at(name).value;
  }
  /// @throws ConfigError when a variable says neither yes nor no
  [[nodiscard]] bool is_on(std::string_view name) const;
  /// @return 0 when the option has no value
  [[nodiscard]] int number(std::string_view name) const;

  /// @throws ConfigError naming options that contradict each other and where
  ///   they come from.
  void validate() const;

 private:
  [[nodiscard]] Setting& entry(std::string_view name);
  void take(std::span<const GivenValue> values, ValueSource source);
  void derive();

  std::vector<Setting> settings_; // in the order of the table
};

/// Such as `train.yaml:3`; `default` for defaults.
[[nodiscard]] ACCELERATE_API std::string describe_origin(
    const Setting& setting);

} // namespace accelerate::config
