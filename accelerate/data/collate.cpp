// accelerate/data/collate.cpp: columns are copied row by row into tensors of
// the batch's shape; no sample is allocated on the way.
#include "accelerate/data/collate.h"

#include <algorithm>
#include <exception>
#include <numeric>
#include <vector>

#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include "accelerate/error.h"

namespace accelerate {
namespace {

using Rows = std::span<const std::int64_t>;

/// How the lists of one column are laid out.
struct Padding {
  bool is_allowed = false;
  std::int64_t value = 0;
  std::int64_t multiple = 0;
  std::int64_t max_length = 0;
};

Padding padding_of(
    const PadOptions& options,
    const std::string& column,
    bool is_allowed) {
  const auto found = options.pad_values.find(column);
  return {
      .is_allowed = is_allowed,
      .value =
          found == options.pad_values.end() ? options.pad_value : found->second,
      .multiple = options.pad_to_multiple_of,
      .max_length = options.max_length};
}

std::int64_t ssize(Rows rows) {
  return static_cast<std::int64_t>(rows.size());
}

/// The width that holds all `lengths`.
template <typename LengthOf>
std::int64_t
width_of(Rows rows, const Padding& padding, const LengthOf& length_of) {
  std::int64_t longest = 0;
  std::int64_t shortest = rows.empty() ? 0 : length_of(rows.front());
  for (const std::int64_t row : rows) {
    const std::int64_t length = length_of(row);
    longest = std::max(longest, length);
    shortest = std::min(shortest, length);
  }
  ACCELERATE_CHECK(
      padding.is_allowed || longest == shortest,
      ConfigError,
      "data.collate",
      "lists of ",
      shortest,
      " to ",
      longest,
      " values cannot be stacked; use pad_to_longest as the loader's collate");
  if (padding.max_length > 0) {
    longest = std::min(longest, padding.max_length);
  }
  if (padding.multiple > 0) {
    longest =
        (longest + padding.multiple - 1) / padding.multiple * padding.multiple;
  }
  return longest;
}

at::Tensor
int64_lists(const Column& column, Rows rows, const Padding& padding) {
  const std::int64_t width = width_of(rows, padding, [&](std::int64_t row) {
    return static_cast<std::int64_t>(column.int64_list_at(row).size());
  });
  at::Tensor tensor = at::empty({ssize(rows), width}, at::kLong);
  auto* out = tensor.mutable_data_ptr<std::int64_t>();
  const auto limit = static_cast<std::size_t>(
      padding.max_length > 0 ? std::min(width, padding.max_length) : width);
  for (const std::int64_t row : rows) {
    const Int64ListView list = column.int64_list_at(row);
    const std::size_t count = std::min(list.size(), limit);
    list.copy_to(out, count);
    std::fill(out + count, out + width, padding.value);
    out += width;
  }
  return tensor;
}

at::Tensor
double_lists(const Column& column, Rows rows, const Padding& padding) {
  const std::int64_t width = width_of(rows, padding, [&](std::int64_t row) {
    return static_cast<std::int64_t>(column.double_list_at(row).size());
  });
  at::Tensor tensor = at::empty({ssize(rows), width}, at::kFloat);
  auto* out = tensor.mutable_data_ptr<float>();
  const auto limit = static_cast<std::size_t>(
      padding.max_length > 0 ? std::min(width, padding.max_length) : width);
  for (const std::int64_t row : rows) {
    const std::span<const double> list = column.double_list_at(row);
    const std::size_t count = std::min(list.size(), limit);
    for (std::size_t i = 0; i < count; ++i) {
      out[i] = static_cast<float>(list[i]);
    }
    std::fill(out + count, out + width, static_cast<float>(padding.value));
    out += width;
  }
  return tensor;
}

at::Tensor int64_scalars(const Column& column, Rows rows) {
  at::Tensor tensor = at::empty({ssize(rows)}, at::kLong);
  auto* out = tensor.mutable_data_ptr<std::int64_t>();
  for (const std::int64_t row : rows) {
    *out++ = column.int64_at(row);
  }
  return tensor;
}

at::Tensor double_scalars(const Column& column, Rows rows) {
  at::Tensor tensor = at::empty({ssize(rows)}, at::kFloat);
  auto* out = tensor.mutable_data_ptr<float>();
  for (const std::int64_t row : rows) {
    *out++ = static_cast<float>(column.double_at(row));
  }
  return tensor;
}

/// The tensor of one column; undefined for text.
at::Tensor
column_tensor(const Column& column, Rows rows, const Padding& padding) {
  switch (column.kind()) {
    case ColumnKind::kInt64:
      return int64_scalars(column, rows);
    case ColumnKind::kDouble:
      return double_scalars(column, rows);
    case ColumnKind::kString:
      return {};
    case ColumnKind::kInt64List:
      return int64_lists(column, rows, padding);
    case ColumnKind::kDoubleList:
      return double_lists(column, rows, padding);
  }
  throw InternalError(error_message("data.collate", "unknown kind of column"));
}

/// Inside a catch block: the same error with the column's name.
[[noreturn]] void rethrow_with_column(
    const std::string& column,
    const std::exception& error) {
  std::throw_with_nested(ConfigError(error_message(
      "data.collate", concat("column '", column, "': ", error.what()))));
}

/// The tensors of one column of the samples, stacked.
at::Tensor stacked(std::span<const Example> samples, const std::string& name) {
  std::vector<at::Tensor> tensors;
  for (const Example& sample : samples) {
    tensors.push_back(sample.get<at::Tensor>(name));
  }
  try {
    return at::stack(tensors);
  } catch (const std::exception& error) {
    rethrow_with_column(name, error);
  }
}

bool is_tensor(const Value& value) {
  return value.get_if<at::Tensor>() != nullptr;
}

/// The samples without their tensors, as a table.
Table table_of(std::span<const Example> samples) {
  std::vector<Example> rows(samples.begin(), samples.end());
  for (const auto& [name, value] : samples.front()) {
    if (is_tensor(value)) {
      for (Example& row : rows) {
        row.erase(name);
      }
    }
  }
  return Table::from_examples(rows);
}

Batch columns_of(
    const Table& table,
    Rows rows,
    const PadOptions& options,
    bool is_padding) {
  Batch batch;
  for (const auto& [name, column] : table) {
    try {
      at::Tensor tensor =
          column_tensor(column, rows, padding_of(options, name, is_padding));
      if (tensor.defined()) {
        batch.set(name, std::move(tensor));
      }
    } catch (const std::exception& error) {
      rethrow_with_column(name, error);
    }
  }
  return batch;
}

/// Calls `label` `labels`, and refuses a batch without any tensor.
void finish(Batch& batch) {
  ACCELERATE_CHECK(
      !batch.empty(),
      ConfigError,
      "data.collate",
      "there is no column of numbers to make a batch of; map a tokenizer over "
      "columns of text, or give the loader a collate function of your own");
  if (!batch.contains("label") || batch.contains("labels")) {
    return;
  }
  Batch renamed;
  for (const auto& [name, tensor] : batch) {
    renamed.set(name == "label" ? "labels" : name, tensor);
  }
  batch = std::move(renamed);
}

} // namespace

void PadOptions::validate() const {
  ACCELERATE_CHECK(
      pad_to_multiple_of >= 0,
      ConfigError,
      "data.collate",
      "pad_to_multiple_of is ",
      pad_to_multiple_of,
      ", expected at least 1, or 0 for no rounding");
  ACCELERATE_CHECK(
      max_length >= 0,
      ConfigError,
      "data.collate",
      "max_length is ",
      max_length,
      ", expected at least 1, or 0 for no limit");
}

Collate::Collate(PadOptions options)
    : is_padding_(true), options_(std::move(options)) {
  options_.validate();
}

Batch Collate::operator()(const Table& table, Rows rows) const {
  if (function_) {
    std::vector<Example> samples;
    samples.reserve(rows.size());
    for (const std::int64_t row : rows) {
      samples.push_back(table.row(row));
    }
    return function_(samples);
  }
  Batch batch = columns_of(table, rows, options_, is_padding_);
  finish(batch);
  return batch;
}

Batch Collate::operator()(std::span<const Example> samples) const {
  if (function_) {
    return function_(samples);
  }
  if (samples.empty()) {
    return {};
  }
  std::vector<std::int64_t> rows(samples.size());
  std::iota(rows.begin(), rows.end(), 0);
  const Batch columns =
      columns_of(table_of(samples), rows, options_, is_padding_);
  Batch batch; // in the order of the first sample's columns
  for (const auto& [name, value] : samples.front()) {
    if (is_tensor(value)) {
      batch.set(name, stacked(samples, name));
    } else if (const at::Tensor* tensor = columns.find(name)) {
      batch.set(name, *tensor);
    }
  }
  finish(batch);
  return batch;
}

} // namespace accelerate
