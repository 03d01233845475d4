// accelerate/data/dataset.cpp: views of a table and transforms on threads.
#include "accelerate/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <numeric>

#include "accelerate/data/dataset_dict.h"
#include "accelerate/data/parallel_chunks_impl.h"
#include "accelerate/data/permutation.h"
#include "accelerate/error.h"

namespace accelerate {
namespace {

/// Inside a catch block: wraps the exception so that the row is named.
[[noreturn]] void rethrow_with_row(
    std::string_view where,
    std::int64_t row,
    const std::exception& error) {
  std::throw_with_nested(ConfigError(
      error_message(where, concat("row ", row, ": ", error.what()))));
}

Example merged(
    const Example& row,
    const Example& changes,
    const std::vector<std::string>& remove_columns) {
  Example result = row;
  for (const std::string& name : remove_columns) {
    result.erase(name);
  }
  for (const auto& [name, value] : changes) {
    result.set(name, value);
  }
  return result;
}

Table merged(
    const Table& rows,
    const Table& changes,
    const std::vector<std::string>& remove_columns) {
  Table result = rows.without_columns(remove_columns);
  for (const auto& [name, column] : changes) {
    result = result.with_column(name, column);
  }
  return result;
}

std::int64_t test_rows(std::int64_t num_rows, double test_size) {
  const bool is_fraction = test_size > 0 && test_size < 1;
  const bool is_count = test_size >= 1 && test_size == std::floor(test_size) &&
      test_size < static_cast<double>(num_rows);
  ACCELERATE_CHECK(
      is_fraction || is_count,
      ConfigError,
      "data.train_test_split",
      "test_size is ",
      test_size,
      ", expected a fraction between 0 and 1 or a whole number of rows below ",
      num_rows);
  const double count = is_fraction
      ? std::ceil(test_size * static_cast<double>(num_rows))
      : test_size;
  ACCELERATE_CHECK(
      static_cast<std::int64_t>(count) < num_rows,
      ConfigError,
      "data.train_test_split",
      "test_size ",
      test_size,
      " of ",
      num_rows,
      " rows leaves no row for training");
  return static_cast<std::int64_t>(count);
}

} // namespace

Dataset::Dataset(Table table)
    : table_(std::move(table)), size_(table_.num_rows()) {}

std::int64_t Dataset::size() const {
  return size_;
}

Example Dataset::get(std::int64_t index) const {
  ACCELERATE_CHECK(
      index >= 0 && index < size_,
      ConfigError,
      "data.dataset",
      "index ",
      index,
      " of a dataset with ",
      size_,
      " rows");
  return table_.row(stored_row(index));
}

std::vector<std::string> Dataset::column_names() const {
  return table_.column_names();
}

Table Dataset::chunk(std::int64_t begin, std::int64_t end) const {
  if (rows_ == nullptr) {
    return table_.slice(first_ + begin, end - begin);
  }
  return table_.take(std::span(*rows_).subspan(
      static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
}

Table Dataset::table() const {
  return chunk(0, size_);
}

Dataset Dataset::select(std::vector<std::int64_t> indices) const {
  for (std::int64_t& index : indices) {
    ACCELERATE_CHECK(
        index >= 0 && index < size_,
        ConfigError,
        "data.select",
        "index ",
        index,
        " of a dataset with ",
        size_,
        " rows");
    index = stored_row(index);
  }
  Dataset result = *this;
  result.first_ = 0;
  result.size_ = static_cast<std::int64_t>(indices.size());
  result.rows_ =
      std::make_shared<const std::vector<std::int64_t>>(std::move(indices));
  return result;
}

Dataset Dataset::slice(std::int64_t begin, std::int64_t end) const {
  const auto absolute = [&](std::int64_t index) {
    return std::clamp<std::int64_t>(
        index < 0 ? size_ + index : index, 0, size_);
  };
  const std::int64_t from = absolute(begin);
  const std::int64_t to = std::max(from, absolute(end));
  if (rows_ != nullptr) {
    std::vector<std::int64_t> indices(static_cast<std::size_t>(to - from));
    std::iota(indices.begin(), indices.end(), from);
    return select(std::move(indices));
  }
  Dataset result = *this;
  result.first_ += from;
  result.size_ = to - from;
  return result;
}

Dataset Dataset::shuffle(std::uint64_t seed) const {
  const Permutation permutation(size_, {.seed = seed});
  std::vector<std::int64_t> indices(static_cast<std::size_t>(size_));
  for (std::int64_t i = 0; i < size_; ++i) {
    indices[static_cast<std::size_t>(i)] = permutation[i];
  }
  return select(std::move(indices));
}

Dataset Dataset::filter(const Predicate& keep, const MapOptions& options)
    const {
  // One byte per row: threads write neighbours without racing.
  std::vector<char> is_kept(static_cast<std::size_t>(size_));
  const data::ChunkPlan plan{
      .num_rows = size_,
      .chunk_rows = options.batch_size,
      .num_threads = options.num_threads};
  data::parallel_chunks(
      plan, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          try {
            is_kept[static_cast<std::size_t>(row)] = keep(get(row)) ? 1 : 0;
          } catch (const std::exception& error) {
            rethrow_with_row("data.filter", row, error);
          }
        }
      });
  std::vector<std::int64_t> indices;
  for (std::int64_t row = 0; row < size_; ++row) {
    if (is_kept[static_cast<std::size_t>(row)] != 0) {
      indices.push_back(row);
    }
  }
  return select(std::move(indices));
}

Dataset Dataset::map_rows(const RowTransform& f, const MapOptions& options)
    const {
  const data::ChunkPlan plan{
      .num_rows = size_,
      .chunk_rows = options.batch_size,
      .num_threads = options.num_threads};
  std::vector<Example> results(static_cast<std::size_t>(size_));
  data::parallel_chunks(
      plan, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          try {
            const Example input = get(row);
            results[static_cast<std::size_t>(row)] =
                merged(input, f(input), options.remove_columns);
          } catch (const std::exception& error) {
            rethrow_with_row("data.map", row, error);
          }
        }
      });
  return Dataset(Table::from_examples(results));
}

Dataset Dataset::map_tables(const TableTransform& f, const MapOptions& options)
    const {
  const data::ChunkPlan plan{
      .num_rows = size_,
      .chunk_rows = options.batch_size,
      .num_threads = options.num_threads};
  if (size_ == 0) {
    // The columns of the result are known all the same.
    const Table rows = table();
    return Dataset(merged(rows, f(rows), options.remove_columns));
  }
  std::vector<Table> results(
      static_cast<std::size_t>(
          (size_ - 1) / std::max<std::int64_t>(options.batch_size, 1)) +
      1);
  data::parallel_chunks(
      plan, [&](std::int64_t index, std::int64_t begin, std::int64_t end) {
        const Table rows = chunk(begin, end);
        try {
          const Table changes = f(rows);
          ACCELERATE_CHECK(
              changes.num_columns() == 0 ||
                  changes.num_rows() == rows.num_rows(),
              ConfigError,
              "data.map",
              "the transform returned ",
              changes.num_rows(),
              " rows for ",
              rows.num_rows());
          results[static_cast<std::size_t>(index)] =
              merged(rows, changes, options.remove_columns);
        } catch (const std::exception& error) {
          std::throw_with_nested(ConfigError(error_message(
              "data.map",
              concat("rows ", begin, " to ", end - 1, ": ", error.what()))));
        }
      });
  return Dataset(Table::concat(results));
}

Dataset Dataset::rename_column(std::string_view from, std::string_view to)
    const {
  Dataset result = *this;
  result.table_ = table_.renamed(from, to);
  return result;
}

Dataset Dataset::remove_columns(const std::vector<std::string>& names) const {
  Dataset result = *this;
  result.table_ = table_.without_columns(names);
  return result;
}

DatasetDict Dataset::train_test_split(
    const TrainTestSplitOptions& options) const {
  const std::int64_t num_test = test_rows(size_, options.test_size);
  if (!options.shuffle) {
    return {
        {"train", slice(0, size_ - num_test)},
        {"test", slice(size_ - num_test, size_)}};
  }
  const Dataset shuffled = shuffle(options.seed);
  return {
      {"train", shuffled.slice(num_test, size_)},
      {"test", shuffled.slice(0, num_test)}};
}

} // namespace accelerate
