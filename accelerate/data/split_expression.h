// accelerate/data/split_expression.h: `train[10%:20%]+test[:100]`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accelerate/api.h"

namespace accelerate::data {

/// Rows [begin, end).
struct RowRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// One term of a split expression.
struct SplitSlice {
  std::string split;
  std::optional<std::int64_t> from = std::nullopt;
  std::optional<std::int64_t> to = std::nullopt;
  bool is_percent = false;

  /// The rows meant in a split of `num_rows`: negative boundaries count from
  /// the end, percent are rounded to the nearest row (a half to the even one),
  /// and everything is cut to [0, num_rows]. Empty when end <= begin.
  /// Source: datasets ReadInstruction, rounding "closest".
  [[nodiscard]] ACCELERATE_API RowRange resolve(std::int64_t num_rows) const;
};

/// Parses `name`, `name[from:to]` and `name[from%:to%]`, joined by `+`. Either
/// boundary may be left out; `_` may group digits. As in the original, one `%`
/// makes both boundaries percent.
/// @throws ConfigError for anything else, and for percent outside
///   [-100, 100].
[[nodiscard]] ACCELERATE_API std::vector<SplitSlice> parse_split_expression(
    std::string_view expression);

} // namespace accelerate::data
