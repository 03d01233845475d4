// accelerate/data/csv_impl.h: comma-separated values into a table.
#pragma once

#include <string>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/data/table.h"
#include "accelerate/data/text_file_impl.h"

namespace accelerate::data {

struct CsvOptions {
  char delimiter = ',';
  /// Not empty: the file has no header line, and these are its columns.
  std::vector<std::string> column_names = {};

  /// @throws ConfigError for a delimiter that cannot be one.
  void validate() const;
};

/// Parses fields separated by the delimiter and records separated by LF or
/// CRLF. A field in double quotes may hold both, and a doubled quote for one.
/// Empty lines are left out. A column without a name is called `Unnamed: i`, as
/// pandas does.
/// @return all columns as text
/// @throws ConfigError with file and line for a row with more or fewer fields
///   than the header, a quote that is not closed, text after a closing quote, a
///   lone CR, and two columns of one name.
/// Source: RFC 4180.
[[nodiscard]] ACCELERATE_API Table
parse_csv(const TextFile& file, const CsvOptions& options);

/// Columns of text whose cells are all integers (within 64 bits) become int64;
/// all numbers, or numbers and empty cells, double, an empty cell being NaN.
/// The others, and columns of empty cells, stay text.
[[nodiscard]] ACCELERATE_API Table infer_types(const Table& table);

} // namespace accelerate::data
