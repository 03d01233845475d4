// accelerate/data/dataset.h: a map-style dataset: a table, and which of its
// rows in which order.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/data/table.h"

namespace accelerate {

class DatasetDict;

struct MapOptions {
  /// Columns that the result does not keep.
  std::vector<std::string> remove_columns = {};
  /// Rows handed to a batched transform at once.
  std::int64_t batch_size = 1000;
  /// Threads; 0 takes as many as libtorch uses on this rank.
  int num_threads = 0;
};

struct TrainTestSplitOptions {
  /// Below 1: the fraction of the rows that goes to "test", rounded up. From 1
  /// on: the number of rows.
  double test_size = 0.25;
  std::uint64_t seed = 0;
  bool shuffle = true;
};

/// An index-permuted view of a shared table. Copies are cheap; every function
/// that changes something returns a new dataset.
/// Thread-safety: any number of readers.
class ACCELERATE_API Dataset {
 public:
  using RowTransform = std::function<Example(const Example&)>;
  using TableTransform = std::function<Table(const Table&)>;
  using Predicate = std::function<bool(const Example&)>;

  Dataset() = default;
  explicit Dataset(Table table);

  /// Rows.
  [[nodiscard]] std::int64_t size() const;
  /// @throws ConfigError when `index` is outside [0, size()).
  [[nodiscard]] Example get(std::int64_t index) const;
  [[nodiscard]] Example operator[](std::int64_t index) const {
    return get(index);
  }
  [[nodiscard]] std::vector<std::string> column_names() const;
  /// The rows of this dataset as a table: shared when they are a contiguous
  /// range of the stored one, else copied.
  [[nodiscard]] Table table() const;

  /// The rows named by `indices`, in that order; an index may repeat.
  [[nodiscard]] Dataset select(std::vector<std::int64_t> indices) const;
  /// Rows [begin, end), cut to the size. Negative values count from the end.
  [[nodiscard]] Dataset slice(std::int64_t begin, std::int64_t end) const;
  /// The rows in an order that depends on `seed` and size() alone.
  [[nodiscard]] Dataset shuffle(std::uint64_t seed = 0) const;
  /// The rows for which `keep` holds, in order. `keep` runs on threads.
  [[nodiscard]] Dataset filter(
      const Predicate& keep,
      const MapOptions& options = {}) const;

  /// Calls `f` for every row (`Example(const Example&)`) or for every
  /// `batch_size` rows (`Table(const Table&)`) on threads. The columns that it
  /// returns are added, or replace those of the same name; order is kept.
  /// `f` must be safe to call from several threads.
  /// @throws ConfigError naming the row where `f` threw (its exception is
  ///   nested), or when a table has not as many rows as it was given.
  template <typename F>
  [[nodiscard]] Dataset map(F&& f, const MapOptions& options = {}) const {
    if constexpr (std::is_invocable_r_v<Example, F&, const Example&>) {
      return map_rows(RowTransform(std::forward<F>(f)), options);
    } else {
      static_assert(
          std::is_invocable_r_v<Table, F&, const Table&>,
          "map takes Example(const Example&) or Table(const Table&)");
      return map_tables(TableTransform(std::forward<F>(f)), options);
    }
  }

  [[nodiscard]] Dataset rename_column(
      std::string_view from,
      std::string_view to) const;
  [[nodiscard]] Dataset remove_columns(
      const std::vector<std::string>& names) const;

  /// Splits "train" and "test" off; see TrainTestSplitOptions.
  /// Source: datasets Dataset.train_test_split (rounding of the sizes).
  [[nodiscard]] DatasetDict train_test_split(
      const TrainTestSplitOptions& options = {}) const;

  /// The stored table, and the row of it that `index` means.
  [[nodiscard]] const Table& stored_table() const {
    return table_;
  }
  [[nodiscard]] std::int64_t stored_row(std::int64_t index) const {
    return rows_ == nullptr ? first_ + index
                            : (*rows_)[static_cast<std::size_t>(index)];
  }

 private:
  [[nodiscard]] Dataset map_rows(
      const RowTransform& f,
      const MapOptions& options) const;
  [[nodiscard]] Dataset map_tables(
      const TableTransform& f,
      const MapOptions& options) const;
  /// Rows [begin, end) of this dataset as a table.
  [[nodiscard]] Table chunk(std::int64_t begin, std::int64_t end) const;

  Table table_;
  std::shared_ptr<const std::vector<std::int64_t>> rows_; // null: a range
  std::int64_t first_ = 0; // of the range
  std::int64_t size_ = 0;
};

} // namespace accelerate
