// accelerate/data/collate.cpp: columns are copied row by row into tensors of
// the batch's shape; no sample is allocated on the way.
#include "accelerate/data/collate.h"

#include <algorithm>
#include <exception>
#include <numeric>
#include <type_traits>
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

constexpr std::size_t kCacheLineBytes = 64;

void prefetch(const char* begin, std::size_t size_bytes) {
  for (std::size_t at = 0; at < size_bytes; at += kCacheLineBytes) {
    __builtin_prefetch(begin + at);
  }
}

void prefetch(const Int64ListView& list) {
  prefetch(static_cast<const char*>(list.data()), list.size_bytes());
}

void prefetch(std::span<const double> list) {
  prefetch(reinterpret_cast<const char*>(list.data()), list.size_bytes());
}

void copy(const Int64ListView& list, std::size_t count, std::int64_t* out) {
  list.copy_to(out, count);
}

void copy(std::span<const double> list, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<float>(list[i]);
  }
}

std::int64_t ssize(Rows rows) {
  return static_cast<std::int64_t>(rows.size());
}

/// The lists of `rows`. With a shuffle they lie anywhere in memory: all of them
/// are asked for here, and have arrived when they are copied.
template <typename ListAt>
auto lists_of(Rows rows, const ListAt& list_at) {
  std::vector<std::invoke_result_t<ListAt, std::int64_t>> lists;
  lists.reserve(rows.size());
  for (const std::int64_t row : rows) {
    lists.push_back(list_at(row));
    prefetch(lists.back());
  }
  return lists;
}

/// The width that holds all lists.
template <typename List>
std::int64_t width_of(const std::vector<List>& lists, const Padding& padding) {
  std::size_t longest = 0;
  std::size_t shortest = lists.empty() ? 0 : lists.front().size();
  for (const List& list : lists) {
    longest = std::max(longest, list.size());
    shortest = std::min(shortest, list.size());
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
  auto width = static_cast<std::int64_t>(longest);
  if (padding.max_length > 0) {
    width = std::min(width, padding.max_length);
  }
  if (padding.multiple > 0) {
    width =
        (width + padding.multiple - 1) / padding.multiple * padding.multiple;
  }
  return width;
}

/// Copies the lists into a tensor of shape (lists, width) and fills up with the
/// pad value.
template <typename T, typename List>
at::Tensor padded(
    const std::vector<List>& lists,
    const Padding& padding,
    at::ScalarType dtype) {
  const std::int64_t width = width_of(lists, padding);
  at::Tensor tensor =
      at::empty({static_cast<std::int64_t>(lists.size()), width}, dtype);
  T* out = tensor.mutable_data_ptr<T>();
  const auto limit = static_cast<std::size_t>(
      padding.max_length > 0 ? std::min(width, padding.max_length) : width);
  for (const List& list : lists) {
    const std::size_t count = std::min(list.size(), limit);
    copy(list, count, out);
    std::fill(out + count, out + width, static_cast<T>(padding.value));
    out += width;
  }
  return tensor;
}

at::Tensor
int64_lists(const Column& column, Rows rows, const Padding& padding) {
  const auto lists = lists_of(
      rows, [&](std::int64_t row) { return column.int64_list_at(row); });
  return padded<std::int64_t>(lists, padding, at::kLong);
}

at::Tensor
double_lists(const Column& column, Rows rows, const Padding& padding) {
  const auto lists = lists_of(
      rows, [&](std::int64_t row) { return column.double_list_at(row); });
  return padded<float>(lists, padding, at::kFloat);
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
