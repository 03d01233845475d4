// accelerate/data/column.cpp: storage of the five kinds of column.
#include "accelerate/data/column.h"

#include <algorithm>
#include <array>
#include <limits>

#include "accelerate/error.h"

namespace accelerate {

/// Only the members of the kind are used. Lists of int64 live in `narrow`
/// until a value needs more than 32 bits, then all of them move to `ints`.
struct Column::Storage {
  ColumnKind kind = ColumnKind::kInt64;
  bool is_narrow = true;
  std::vector<std::int64_t> ints;
  std::vector<std::int32_t> narrow;
  std::vector<double> doubles;
  std::string bytes;
  std::vector<std::int64_t> offsets;
};

namespace {

using Rows = std::span<const std::int64_t>;

bool has_offsets(ColumnKind kind) {
  return kind != ColumnKind::kInt64 && kind != ColumnKind::kDouble;
}

bool fits_narrow(std::int64_t value) {
  return value >= std::numeric_limits<std::int32_t>::min() &&
      value <= std::numeric_limits<std::int32_t>::max();
}

void check_offsets(Rows offsets, std::size_t num_values) {
  ACCELERATE_CHECK(
      !offsets.empty() && offsets.front() == 0 &&
          offsets.back() == static_cast<std::int64_t>(num_values) &&
          std::is_sorted(offsets.begin(), offsets.end()),
      ConfigError,
      "data.column",
      "offsets must rise from 0 to the number of values, ",
      num_values,
      "; got ",
      offsets.size(),
      " offsets",
      offsets.empty() ? "" : accelerate::concat(" ending in ", offsets.back()));
}

template <typename T>
std::span<const T>
part(const std::vector<T>& values, Rows offsets, std::int64_t row) {
  const auto at = static_cast<std::size_t>(row);
  return std::span<const T>(values).subspan(
      static_cast<std::size_t>(offsets[at]),
      static_cast<std::size_t>(offsets[at + 1] - offsets[at]));
}

} // namespace

std::string_view to_string(ColumnKind kind) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "int64", "double", "string", "list of int64", "list of double"};
  return kNames[static_cast<std::size_t>(kind)];
}

Column::Column() : Column(std::make_shared<const Storage>(), 0) {}

Column::Column(std::shared_ptr<const Storage> storage, std::int64_t size)
    : storage_(std::move(storage)), size_(size) {}

Column Column::of(std::vector<std::int64_t> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  auto storage = std::make_shared<Storage>();
  storage->ints = std::move(values);
  return Column(std::move(storage), size);
}

Column Column::of(std::vector<double> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  auto storage = std::make_shared<Storage>();
  storage->kind = ColumnKind::kDouble;
  storage->doubles = std::move(values);
  return Column(std::move(storage), size);
}

Column Column::of(const std::vector<std::string>& values) {
  ColumnBuilder builder(ColumnKind::kString);
  for (const std::string& value : values) {
    builder.append(std::string_view(value));
  }
  return builder.finish();
}

Column Column::of(const std::vector<std::vector<std::int64_t>>& rows) {
  ColumnBuilder builder(ColumnKind::kInt64List);
  for (const auto& row : rows) {
    builder.append(std::span(row));
  }
  return builder.finish();
}

Column Column::of(const std::vector<std::vector<double>>& rows) {
  ColumnBuilder builder(ColumnKind::kDoubleList);
  for (const auto& row : rows) {
    builder.append(std::span(row));
  }
  return builder.finish();
}

Column Column::of_lists(
    std::vector<std::int32_t> values,
    std::vector<std::int64_t> offsets) {
  check_offsets(offsets, values.size());
  const auto size = static_cast<std::int64_t>(offsets.size()) - 1;
  auto storage = std::make_shared<Storage>();
  storage->kind = ColumnKind::kInt64List;
  storage->narrow = std::move(values);
  storage->offsets = std::move(offsets);
  return Column(std::move(storage), size);
}

Column Column::of_lists(
    std::vector<std::int64_t> values,
    std::vector<std::int64_t> offsets) {
  check_offsets(offsets, values.size());
  const auto size = static_cast<std::int64_t>(offsets.size()) - 1;
  auto storage = std::make_shared<Storage>();
  storage->kind = ColumnKind::kInt64List;
  storage->is_narrow = false;
  storage->ints = std::move(values);
  storage->offsets = std::move(offsets);
  return Column(std::move(storage), size);
}

Column Column::of_lists(
    std::vector<double> values,
    std::vector<std::int64_t> offsets) {
  check_offsets(offsets, values.size());
  const auto size = static_cast<std::int64_t>(offsets.size()) - 1;
  auto storage = std::make_shared<Storage>();
  storage->kind = ColumnKind::kDoubleList;
  storage->doubles = std::move(values);
  storage->offsets = std::move(offsets);
  return Column(std::move(storage), size);
}

Column Column::of_strings(
    std::string bytes,
    std::vector<std::int64_t> offsets) {
  check_offsets(offsets, bytes.size());
  const auto size = static_cast<std::int64_t>(offsets.size()) - 1;
  auto storage = std::make_shared<Storage>();
  storage->kind = ColumnKind::kString;
  storage->bytes = std::move(bytes);
  storage->offsets = std::move(offsets);
  return Column(std::move(storage), size);
}

ColumnKind Column::kind() const {
  return storage_->kind;
}

void Column::check(ColumnKind kind, std::int64_t row) const {
  ACCELERATE_CHECK(
      storage_->kind == kind,
      ConfigError,
      "data.column",
      "the column holds ",
      to_string(storage_->kind),
      ", read as ",
      to_string(kind));
  ACCELERATE_CHECK(
      row >= 0 && row < size_,
      ConfigError,
      "data.column",
      "row ",
      row,
      " of a column with ",
      size_,
      " rows");
}

std::int64_t Column::int64_at(std::int64_t row) const {
  check(ColumnKind::kInt64, row);
  return storage_->ints[static_cast<std::size_t>(begin_ + row)];
}

double Column::double_at(std::int64_t row) const {
  check(ColumnKind::kDouble, row);
  return storage_->doubles[static_cast<std::size_t>(begin_ + row)];
}

std::string_view Column::string_at(std::int64_t row) const {
  check(ColumnKind::kString, row);
  const auto at = static_cast<std::size_t>(begin_ + row);
  const auto begin = static_cast<std::size_t>(storage_->offsets[at]);
  const auto end = static_cast<std::size_t>(storage_->offsets[at + 1]);
  return std::string_view(storage_->bytes).substr(begin, end - begin);
}

Int64ListView Column::int64_list_at(std::int64_t row) const {
  check(ColumnKind::kInt64List, row);
  const Storage& data = *storage_;
  return data.is_narrow
      ? Int64ListView(part(data.narrow, data.offsets, begin_ + row))
      : Int64ListView(part(data.ints, data.offsets, begin_ + row));
}

std::span<const double> Column::double_list_at(std::int64_t row) const {
  check(ColumnKind::kDoubleList, row);
  return part(storage_->doubles, storage_->offsets, begin_ + row);
}

Value Column::value_at(std::int64_t row) const {
  switch (kind()) {
    case ColumnKind::kInt64:
      return int64_at(row);
    case ColumnKind::kDouble:
      return double_at(row);
    case ColumnKind::kString:
      return string_at(row);
    case ColumnKind::kInt64List:
      return int64_list_at(row).to_vector();
    case ColumnKind::kDoubleList: {
      const auto list = double_list_at(row);
      return std::vector<double>(list.begin(), list.end());
    }
  }
  throw InternalError(error_message("data.column", "unknown kind of column"));
}

std::span<const std::int64_t> Column::int64_values() const {
  if (size_ == 0 && kind() == ColumnKind::kInt64) {
    return {};
  }
  check(ColumnKind::kInt64, 0);
  return std::span(storage_->ints)
      .subspan(
          static_cast<std::size_t>(begin_), static_cast<std::size_t>(size_));
}

std::span<const double> Column::double_values() const {
  if (size_ == 0 && kind() == ColumnKind::kDouble) {
    return {};
  }
  check(ColumnKind::kDouble, 0);
  return std::span(storage_->doubles)
      .subspan(
          static_cast<std::size_t>(begin_), static_cast<std::size_t>(size_));
}

Column Column::slice(std::int64_t begin, std::int64_t count) const {
  ACCELERATE_CHECK(
      begin >= 0 && count >= 0 && begin <= size_ && count <= size_ - begin,
      ConfigError,
      "data.column",
      "slice of ",
      count,
      " rows from row ",
      begin,
      " of a column with ",
      size_,
      " rows");
  Column result = *this;
  result.begin_ += begin;
  result.size_ = count;
  return result;
}

namespace {

/// Appends row `row` of `from`, whatever its kind.
void append_row(
    ColumnBuilder& builder,
    const Column& from,
    std::int64_t row,
    std::vector<std::int64_t>& buffer) {
  switch (from.kind()) {
    case ColumnKind::kInt64:
      return builder.append(from.int64_at(row));
    case ColumnKind::kDouble:
      return builder.append(from.double_at(row));
    case ColumnKind::kString:
      return builder.append(from.string_at(row));
    case ColumnKind::kDoubleList:
      return builder.append(from.double_list_at(row));
    case ColumnKind::kInt64List: {
      const Int64ListView list = from.int64_list_at(row);
      buffer.resize(list.size());
      list.copy_to(buffer.data(), buffer.size());
      return builder.append(std::span<const std::int64_t>(buffer));
    }
  }
}

} // namespace

Column Column::take(Rows rows) const {
  ColumnBuilder builder(kind());
  std::vector<std::int64_t> buffer;
  for (const std::int64_t row : rows) {
    append_row(builder, *this, row, buffer);
  }
  return builder.finish();
}

Column Column::concat(std::span<const Column> parts) {
  if (parts.empty()) {
    return Column();
  }
  if (parts.size() == 1) {
    return parts.front();
  }
  ColumnBuilder builder(parts.front().kind());
  std::vector<std::int64_t> buffer;
  for (const Column& column : parts) {
    for (std::int64_t row = 0; row < column.size(); ++row) {
      append_row(builder, column, row, buffer);
    }
  }
  return builder.finish();
}

ColumnBuilder::ColumnBuilder() : storage_(new Column::Storage) {
  storage_->offsets.push_back(0);
}

ColumnBuilder::ColumnBuilder(ColumnKind kind) : ColumnBuilder() {
  storage_->kind = kind;
  is_decided_ = true;
}

ColumnBuilder::ColumnBuilder(ColumnBuilder&&) noexcept = default;
ColumnBuilder& ColumnBuilder::operator=(ColumnBuilder&&) noexcept = default;
ColumnBuilder::~ColumnBuilder() = default;

void ColumnBuilder::require(ColumnKind kind) {
  Column::Storage& data = *storage_;
  if (!is_decided_) {
    data.kind = kind;
    is_decided_ = true;
  }
  if (data.kind == ColumnKind::kInt64 && kind == ColumnKind::kDouble) {
    data.doubles.assign(data.ints.begin(), data.ints.end());
    data.ints.clear();
    data.kind = kind;
  } else if (
      data.kind == ColumnKind::kInt64List && kind == ColumnKind::kDoubleList) {
    data.doubles.assign(data.narrow.begin(), data.narrow.end());
    if (!data.is_narrow) {
      data.doubles.assign(data.ints.begin(), data.ints.end());
    }
    data.narrow.clear();
    data.ints.clear();
    data.kind = kind;
  }
  ACCELERATE_CHECK(
      data.kind == kind,
      ConfigError,
      "data.column",
      "a cell of type ",
      to_string(kind),
      " in a column of ",
      to_string(data.kind));
}

void ColumnBuilder::append(std::int64_t value) {
  if (storage_->kind == ColumnKind::kDouble) {
    return append(static_cast<double>(value));
  }
  require(ColumnKind::kInt64);
  storage_->ints.push_back(value);
}

void ColumnBuilder::append(double value) {
  require(ColumnKind::kDouble);
  storage_->doubles.push_back(value);
}

void ColumnBuilder::append(std::string_view value) {
  require(ColumnKind::kString);
  storage_->bytes += value;
  storage_->offsets.push_back(
      static_cast<std::int64_t>(storage_->bytes.size()));
}

void ColumnBuilder::append(std::span<const std::int32_t> values) {
  Column::Storage& data = *storage_;
  if (data.kind == ColumnKind::kInt64List && data.is_narrow && is_decided_) {
    data.narrow.insert(data.narrow.end(), values.begin(), values.end());
    data.offsets.push_back(static_cast<std::int64_t>(data.narrow.size()));
    return;
  }
  const std::vector<std::int64_t> wide(values.begin(), values.end());
  append(std::span(wide));
}

void ColumnBuilder::append(std::span<const std::int64_t> values) {
  Column::Storage& data = *storage_;
  if (data.kind == ColumnKind::kDoubleList) {
    data.doubles.insert(data.doubles.end(), values.begin(), values.end());
    data.offsets.push_back(static_cast<std::int64_t>(data.doubles.size()));
    return;
  }
  require(ColumnKind::kInt64List);
  if (data.is_narrow &&
      !std::all_of(values.begin(), values.end(), fits_narrow)) {
    data.ints.assign(data.narrow.begin(), data.narrow.end());
    data.narrow = {};
    data.is_narrow = false;
  }
  if (data.is_narrow) {
    std::transform(
        values.begin(),
        values.end(),
        std::back_inserter(data.narrow),
        [](std::int64_t value) { return static_cast<std::int32_t>(value); });
    data.offsets.push_back(static_cast<std::int64_t>(data.narrow.size()));
  } else {
    data.ints.insert(data.ints.end(), values.begin(), values.end());
    data.offsets.push_back(static_cast<std::int64_t>(data.ints.size()));
  }
}

void ColumnBuilder::append(std::span<const double> values) {
  require(ColumnKind::kDoubleList);
  Column::Storage& data = *storage_;
  data.doubles.insert(data.doubles.end(), values.begin(), values.end());
  data.offsets.push_back(static_cast<std::int64_t>(data.doubles.size()));
}

void ColumnBuilder::append(const Value& value) {
  if (const auto* number = value.get_if<std::int64_t>()) {
    append(*number);
  } else if (const auto* real = value.get_if<double>()) {
    append(*real);
  } else if (const auto* text = value.get_if<std::string>()) {
    append(std::string_view(*text));
  } else if (const auto* ints = value.get_if<std::vector<std::int64_t>>()) {
    append(std::span(*ints));
  } else if (const auto* reals = value.get_if<std::vector<double>>()) {
    append(std::span(*reals));
  } else {
    throw ConfigError(error_message(
        "data.column",
        "a table holds no tensors; serve them from a dataset type of your own "
        "with size() and get(index)"));
  }
}

std::int64_t ColumnBuilder::size() const {
  const Column::Storage& data = *storage_;
  const std::size_t size = has_offsets(data.kind) ? data.offsets.size() - 1
      : data.kind == ColumnKind::kInt64           ? data.ints.size()
                                                  : data.doubles.size();
  return static_cast<std::int64_t>(size);
}

Column ColumnBuilder::finish() {
  const std::int64_t rows = size();
  std::shared_ptr<const Column::Storage> storage = std::move(storage_);
  *this = ColumnBuilder();
  return Column(std::move(storage), rows);
}

} // namespace accelerate
