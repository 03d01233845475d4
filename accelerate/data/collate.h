// accelerate/data/collate.h: turns samples into one batch of tensors.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "accelerate/api.h"
#include "accelerate/data/example.h"
#include "accelerate/data/table.h"
#include "accelerate/nested/batch.h"

namespace accelerate {

struct PadOptions {
  /// Fills up lists of columns that pad_values does not name.
  std::int64_t pad_value = 0;
  /// Column name → its own fill.
  std::map<std::string, std::int64_t> pad_values = {};
  /// Widths are rounded up to a multiple of this. 0: not rounded.
  std::int64_t pad_to_multiple_of = 0;
  /// Longer lists are cut to this many values. 0: no limit.
  std::int64_t max_length = 0;

  /// @throws ConfigError for negative values.
  ACCELERATE_API void validate() const;
};

/// How samples become a batch. By column: an int64 becomes int64 of shape
/// (samples), a double float32 of shape (samples), a list becomes int64 or
/// float32 of shape (samples, width), tensors are stacked with their own dtype;
/// text is left out; `label` is called `labels`, unless `labels` is there too.
/// Lists of different length need pad_to_longest. A function of your own takes
/// the samples instead.
/// Thread-safety: const calls from several threads, as far as a function of
/// your own allows it.
class ACCELERATE_API Collate {
 public:
  using Function = std::function<Batch(std::span<const Example>)>;

  /// Stacks by column.
  Collate() = default;
  /// Stacks by column, lists padded to the longest of the batch.
  /// @throws ConfigError as PadOptions::validate.
  explicit Collate(PadOptions options);
  /// A function of your own: `Batch(std::span<const Example>)`.
  template <std::invocable<std::span<const Example>> F>
  requires std::
      convertible_to<std::invoke_result_t<F, std::span<const Example>>, Batch>
      // NOLINTNEXTLINE(google-explicit-constructor)
      Collate(F function) : function_(std::move(function)) {}

  /// True for the one that stacks by column.
  [[nodiscard]] bool is_default() const {
    return !function_ && !is_padding_;
  }

  /// @throws ConfigError naming the column that does not fit; whatever a
  ///   function of your own throws.
  [[nodiscard]] Batch operator()(std::span<const Example> samples) const;
  /// The rows of a table, written straight into the batch.
  /// @param rows row numbers of `table`
  [[nodiscard]] Batch operator()(
      const Table& table,
      std::span<const std::int64_t> rows) const;

 private:
  Function function_; // empty: by column
  bool is_padding_ = false;
  PadOptions options_;
};

/// Stacks by column; what a loader does when nothing else is asked for.
[[nodiscard]] inline Collate stack() {
  return Collate();
}

/// Stacks by column and pads every list column to the longest of the batch.
[[nodiscard]] inline Collate pad_to_longest(PadOptions options = {}) {
  return Collate(std::move(options));
}

} // namespace accelerate
