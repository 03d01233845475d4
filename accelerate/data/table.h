// accelerate/data/table.h: named columns of equal length.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/data/column.h"
#include "accelerate/data/example.h"

namespace accelerate {

/// Named columns in a fixed order, all with the same number of rows. Immutable
/// and cheap to copy: the functions that change something return a new table
/// that shares the untouched columns.
/// Thread-safety: any number of readers.
class ACCELERATE_API Table {
 public:
  using Entry = std::pair<std::string, Column>;

  Table() = default;
  /// @throws ConfigError when lengths differ or a name appears twice.
  explicit Table(std::vector<Entry> columns);

  /// One column per name of the first example.
  /// @throws ConfigError naming the row when another example has other columns
  ///   or a cell of another kind.
  [[nodiscard]] static Table from_examples(std::span<const Example> examples);

  [[nodiscard]] std::int64_t num_rows() const;
  [[nodiscard]] std::int64_t num_columns() const {
    return static_cast<std::int64_t>(columns_.size());
  }
  [[nodiscard]] std::vector<std::string> column_names() const;
  [[nodiscard]] bool contains(std::string_view name) const {
    return find(name) != nullptr;
  }
  /// @throws ConfigError naming the columns that exist.
  [[nodiscard]] const Column& column(std::string_view name) const;
  /// nullptr when there is no such column.
  [[nodiscard]] const Column* find(std::string_view name) const;
  /// The cells of one row, copied out.
  [[nodiscard]] Example row(std::int64_t index) const;

  /// With the column added at the end, or replaced where it stands.
  [[nodiscard]] Table with_column(std::string_view name, Column column) const;
  /// @throws ConfigError for a name that is not there.
  [[nodiscard]] Table without_columns(std::span<const std::string> names) const;
  /// @throws ConfigError when `from` is missing or `to` is taken.
  [[nodiscard]] Table renamed(std::string_view from, std::string_view to) const;

  /// Rows [begin, begin + count), sharing the storage.
  [[nodiscard]] Table slice(std::int64_t begin, std::int64_t count) const;
  /// The rows named by `rows`, in that order, copied.
  [[nodiscard]] Table take(std::span<const std::int64_t> rows) const;
  /// All rows of all parts.
  /// @throws ConfigError when the parts have different columns.
  [[nodiscard]] static Table concat(std::span<const Table> parts);

  [[nodiscard]] auto begin() const {
    return columns_.begin();
  }
  [[nodiscard]] auto end() const {
    return columns_.end();
  }

 private:
  std::vector<Entry> columns_;
};

} // namespace accelerate
