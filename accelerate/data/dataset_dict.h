// accelerate/data/dataset_dict.h: datasets by split name.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/data/dataset.h"

namespace accelerate {

/// Split name ("train", "test") → dataset, in the order of insertion.
/// map, filter, shuffle and the like apply to every split.
class ACCELERATE_API DatasetDict {
 public:
  using Entry = std::pair<std::string, Dataset>;

  DatasetDict() = default;
  DatasetDict(std::initializer_list<Entry> splits);

  /// @throws ConfigError listing the splits that exist.
  [[nodiscard]] const Dataset& at(std::string_view split) const;
  [[nodiscard]] const Dataset& operator[](std::string_view split) const {
    return at(split);
  }
  [[nodiscard]] bool contains(std::string_view split) const;
  /// Adds the split, or replaces its dataset in place.
  void set(std::string_view split, Dataset dataset);
  [[nodiscard]] std::vector<std::string> split_names() const;
  [[nodiscard]] std::size_t size() const {
    return splits_.size();
  }

  /// The rows that an expression names: `train`, `train[:2000]`,
  /// `train[10%:20%]`, `train[-100:]`, or several joined by `+`. Percent are
  /// rounded to the nearest row, a half to the even one.
  /// @throws ConfigError for a malformed expression or an unknown split.
  /// Source: datasets ReadInstruction.
  [[nodiscard]] Dataset select(std::string_view expression) const;

  /// The only dataset, so that `Dataset d = load_dataset(…)` works when one
  /// split was asked for. @throws ConfigError when there is not exactly one.
  operator Dataset() const; // NOLINT(google-explicit-constructor)

  template <typename F>
  [[nodiscard]] DatasetDict map(const F& f, const MapOptions& options = {})
      const {
    return transformed([&](const Dataset& d) { return d.map(f, options); });
  }
  [[nodiscard]] DatasetDict filter(
      const Dataset::Predicate& keep,
      const MapOptions& options = {}) const;
  [[nodiscard]] DatasetDict shuffle(std::uint64_t seed = 0) const;
  [[nodiscard]] DatasetDict rename_column(
      std::string_view from,
      std::string_view to) const;
  [[nodiscard]] DatasetDict remove_columns(
      const std::vector<std::string>& names) const;

  [[nodiscard]] auto begin() const {
    return splits_.begin();
  }
  [[nodiscard]] auto end() const {
    return splits_.end();
  }

 private:
  template <typename F>
  [[nodiscard]] DatasetDict transformed(const F& f) const {
    DatasetDict result;
    for (const auto& [split, dataset] : splits_) {
      result.set(split, f(dataset));
    }
    return result;
  }

  std::vector<Entry> splits_;
};

} // namespace accelerate
