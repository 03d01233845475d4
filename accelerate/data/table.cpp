// accelerate/data/table.cpp: tables are vectors of shared columns.
#include "accelerate/data/table.h"

#include <algorithm>

#include "accelerate/error.h"

namespace accelerate {
namespace {

std::string quoted(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += concat(text.empty() ? "'" : ", '", name, "'");
  }
  return text.empty() ? "none" : text;
}

/// Appends one example to the builders, in the order of `names`.
void append_example(
    const std::vector<std::string>& names,
    const Example& example,
    std::int64_t row,
    std::vector<ColumnBuilder>& builders) {
  ACCELERATE_CHECK(
      example.size() == names.size(),
      ConfigError,
      "data.table",
      "example ",
      row,
      " has ",
      example.size(),
      " columns, the first example has ",
      names.size(),
      ": ",
      quoted(names));
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Value* value = example.find(names[i]);
    ACCELERATE_CHECK(
        value != nullptr,
        ConfigError,
        "data.table",
        "example ",
        row,
        " has no column '",
        names[i],
        "', which the first example has");
    try {
      builders[i].append(*value);
    } catch (const ConfigError& error) {
      throw ConfigError(error_message(
          "data.table",
          concat(
              "example ", row, ", column '", names[i], "': ", error.what())));
    }
  }
}

} // namespace

Table::Table(std::vector<Entry> columns) : columns_(std::move(columns)) {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const auto& [name, column] = columns_[i];
    ACCELERATE_CHECK(
        column.size() == columns_.front().second.size(),
        ConfigError,
        "data.table",
        "column '",
        name,
        "' has ",
        column.size(),
        " rows, column '",
        columns_.front().first,
        "' has ",
        columns_.front().second.size());
    ACCELERATE_CHECK(
        find(name) == &column,
        ConfigError,
        "data.table",
        "two columns are called '",
        name,
        "'");
  }
}

Table Table::from_examples(std::span<const Example> examples) {
  if (examples.empty()) {
    return Table();
  }
  std::vector<std::string> names;
  for (const auto& [name, value] : examples.front()) {
    names.push_back(name);
  }
  std::vector<ColumnBuilder> builders(names.size());
  for (std::size_t row = 0; row < examples.size(); ++row) {
    append_example(
        names, examples[row], static_cast<std::int64_t>(row), builders);
  }
  std::vector<Entry> columns;
  for (std::size_t i = 0; i < names.size(); ++i) {
    columns.emplace_back(names[i], builders[i].finish());
  }
  return Table(std::move(columns));
}

std::int64_t Table::num_rows() const {
  return columns_.empty() ? 0 : columns_.front().second.size();
}

std::vector<std::string> Table::column_names() const {
  std::vector<std::string> names;
  for (const auto& [name, column] : columns_) {
    names.push_back(name);
  }
  return names;
}

const Column* Table::find(std::string_view name) const {
  const auto found =
      std::find_if(columns_.begin(), columns_.end(), [&](const Entry& entry) {
        return entry.first == name;
      });
  return found == columns_.end() ? nullptr : &found->second;
}

const Column& Table::column(std::string_view name) const {
  const Column* column = find(name);
  ACCELERATE_CHECK(
      column != nullptr,
      ConfigError,
      "data.table",
      "no column '",
      name,
      "'; the columns are ",
      quoted(column_names()));
  return *column;
}

Example Table::row(std::int64_t index) const {
  Example example;
  for (const auto& [name, column] : columns_) {
    example.set(name, column.value_at(index));
  }
  return example;
}

Table Table::with_column(std::string_view name, Column column) const {
  std::vector<Entry> columns = columns_;
  const auto found =
      std::find_if(columns.begin(), columns.end(), [&](const Entry& entry) {
        return entry.first == name;
      });
  if (found == columns.end()) {
    columns.emplace_back(std::string(name), std::move(column));
  } else {
    found->second = std::move(column);
  }
  return Table(std::move(columns));
}

Table Table::without_columns(std::span<const std::string> names) const {
  std::vector<Entry> columns = columns_;
  for (const std::string& name : names) {
    static_cast<void>(column(name)); // throws when it is not there
    std::erase_if(
        columns, [&](const Entry& entry) { return entry.first == name; });
  }
  return Table(std::move(columns));
}

Table Table::renamed(std::string_view from, std::string_view to) const {
  static_cast<void>(column(from)); // throws when it is not there
  std::vector<Entry> columns = columns_;
  for (Entry& entry : columns) {
    if (entry.first == from) {
      entry.first = std::string(to);
    }
  }
  return Table(std::move(columns));
}

Table Table::slice(std::int64_t begin, std::int64_t count) const {
  std::vector<Entry> columns;
  for (const auto& [name, column] : columns_) {
    columns.emplace_back(name, column.slice(begin, count));
  }
  return Table(std::move(columns));
}

Table Table::take(std::span<const std::int64_t> rows) const {
  std::vector<Entry> columns;
  for (const auto& [name, column] : columns_) {
    columns.emplace_back(name, column.take(rows));
  }
  return Table(std::move(columns));
}

Table Table::concat(std::span<const Table> parts) {
  if (parts.empty()) {
    return Table();
  }
  for (const Table& part : parts) {
    ACCELERATE_CHECK(
        part.column_names() == parts.front().column_names(),
        ConfigError,
        "data.table",
        "cannot join tables with the columns ",
        quoted(parts.front().column_names()),
        " and ",
        quoted(part.column_names()));
  }
  std::vector<Entry> columns;
  for (const auto& [name, first] : parts.front()) {
    std::vector<Column> pieces;
    for (const Table& part : parts) {
      pieces.push_back(part.column(name));
    }
    columns.emplace_back(name, Column::concat(pieces));
  }
  return Table(std::move(columns));
}

} // namespace accelerate
