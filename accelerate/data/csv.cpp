// accelerate/data/csv.cpp: a one-pass parser; cells go straight into columns
// of text, whose types are decided when all rows are there.
#include "accelerate/data/csv_impl.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "accelerate/error.h"

namespace accelerate::data {
namespace {

class CsvParser {
 public:
  CsvParser(const TextFile& file, const CsvOptions& options)
      : name_(file.name), text_(file.text), delimiter_(options.delimiter) {}

  Table parse(std::vector<std::string> names) {
    std::vector<std::string> record;
    if (names.empty() && next_record(record)) {
      names = header(record);
    }
    check_names(names);
    std::vector<ColumnBuilder> builders;
    for (std::size_t i = 0; i < names.size(); ++i) {
      builders.emplace_back(ColumnKind::kString);
    }
    while (next_record(record)) {
      if (record.size() != names.size()) {
        throw_at_line(
            name_,
            record_line_,
            concat(
                record.size(),
                " fields, expected ",
                names.size(),
                "; is a comma or a quote missing?"));
      }
      for (std::size_t i = 0; i < names.size(); ++i) {
        builders[i].append(std::string_view(record[i]));
      }
    }
    std::vector<Table::Entry> columns;
    for (std::size_t i = 0; i < names.size(); ++i) {
      columns.emplace_back(names[i], builders[i].finish());
    }
    return Table(std::move(columns));
  }

 private:
  static std::vector<std::string> header(std::vector<std::string> names) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].empty()) {
        names[i] = concat("Unnamed: ", i);
      }
    }
    return names;
  }

  void check_names(const std::vector<std::string>& names) const {
    ACCELERATE_CHECK(
        !names.empty(),
        ConfigError,
        "data.load_dataset",
        "'",
        name_,
        "' holds only empty lines, expected a header");
    for (auto name = names.begin(); name != names.end(); ++name) {
      if (std::find(names.begin(), name, *name) != name) {
        throw_at_line(name_, 1, concat("two columns are called '", *name, "'"));
      }
    }
  }

  /// Reads one record that is not an empty line; false at the end.
  bool next_record(std::vector<std::string>& record) {
    while (at_ < text_.size() && accept_line_end()) {
    }
    if (at_ >= text_.size()) {
      return false;
    }
    record_line_ = line_;
    record.clear();
    do {
      record.push_back(is_at('"') ? quoted_field() : plain_field());
    } while (accept(delimiter_));
    if (at_ < text_.size() && !accept_line_end()) {
      throw_at_line(
          name_,
          line_,
          is_at('\r') ? "a carriage return without a line feed"
                      : "text after the closing quote of a field");
    }
    return true;
  }

  std::string quoted_field() {
    const std::int64_t opening_line = line_;
    std::string field;
    ++at_;
    while (true) {
      const std::size_t quote = text_.find('"', at_);
      if (quote == std::string_view::npos) {
        throw_at_line(
            name_, opening_line, "the quote that opens here is never closed");
      }
      const std::string_view part = text_.substr(at_, quote - at_);
      line_ += std::count(part.begin(), part.end(), '\n');
      field += part;
      at_ = quote + 1;
      if (!accept('"')) {
        return field;
      }
      field += '"';
    }
  }

  std::string plain_field() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && !is_at(delimiter_) && !is_at('\n') &&
           !is_at('\r')) {
      ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  [[nodiscard]] bool is_at(char c) const {
    return at_ < text_.size() && text_[at_] == c;
  }
  bool accept(char c) {
    const bool is_here = is_at(c);
    at_ += is_here ? 1 : 0;
    return is_here;
  }
  bool accept_line_end() {
    if (text_.substr(at_).starts_with("\r\n")) {
      ++at_;
    }
    const bool is_here = accept('\n');
    line_ += is_here ? 1 : 0;
    return is_here;
  }

  std::string_view name_;
  std::string_view text_;
  char delimiter_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
  std::int64_t record_line_ = 1;
};

std::string_view without_spaces(std::string_view cell) {
  const std::size_t begin = cell.find_first_not_of(" \t");
  if (begin == std::string_view::npos) {
    return {};
  }
  return cell.substr(begin, cell.find_last_not_of(" \t") - begin + 1);
}

/// The number a cell spells, if it spells one and nothing else.
template <typename T>
std::optional<T> number(std::string_view cell) {
  std::string_view digits = without_spaces(cell);
  if (digits.starts_with('+') && !digits.starts_with("+-")) {
    digits.remove_prefix(1);
  }
  T value{};
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || stop != end || digits.empty()) {
    return std::nullopt;
  }
  return value;
}

bool is_integer_syntax(std::string_view cell) {
  const std::string_view digits = without_spaces(cell);
  return digits.find_first_not_of("+-0123456789") == std::string_view::npos;
}

std::optional<Column> as_integers(const Column& text) {
  std::vector<std::int64_t> values;
  for (std::int64_t row = 0; row < text.size(); ++row) {
    const auto value = number<std::int64_t>(text.string_at(row));
    if (!value) {
      return std::nullopt;
    }
    values.push_back(*value);
  }
  return Column::of(std::move(values));
}

std::optional<Column> as_doubles(const Column& text) {
  std::vector<double> values;
  bool has_number = false;
  for (std::int64_t row = 0; row < text.size(); ++row) {
    const std::string_view cell = text.string_at(row);
    if (without_spaces(cell).empty()) {
      values.push_back(std::numeric_limits<double>::quiet_NaN());
      continue;
    }
    const auto value = number<double>(cell);
    // An integer beyond 64 bits is an identifier: a double would change it.
    if (!value || (is_integer_syntax(cell) && !number<std::int64_t>(cell))) {
      return std::nullopt;
    }
    has_number = has_number || std::isfinite(*value);
    values.push_back(*value);
  }
  if (!has_number) {
    return std::nullopt;
  }
  return Column::of(std::move(values));
}

} // namespace

void CsvOptions::validate() const {
  ACCELERATE_CHECK(
      delimiter != '"' && delimiter != '\n' && delimiter != '\r' &&
          delimiter != '\0' && static_cast<unsigned char>(delimiter) < 0x80,
      ConfigError,
      "data.load_dataset",
      "the delimiter cannot be a quote, a line end or half a character");
}

Table parse_csv(const TextFile& file, const CsvOptions& options) {
  options.validate();
  return CsvParser(file, options).parse(options.column_names);
}

Table infer_types(const Table& table) {
  Table typed = table;
  for (const auto& [name, column] : table) {
    if (column.kind() != ColumnKind::kString || column.size() == 0) {
      continue;
    }
    if (auto integers = as_integers(column)) {
      typed = typed.with_column(name, *std::move(integers));
    } else if (auto doubles = as_doubles(column)) {
      typed = typed.with_column(name, *std::move(doubles));
    }
  }
  return typed;
}

} // namespace accelerate::data
