// accelerate/data/load_dataset.h: datasets from files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/data/data_files.h"
#include "accelerate/data/dataset_dict.h"

namespace accelerate {

struct LoadDatasetOptions {
  /// `"a.csv"`, `files({"a.csv", "b.csv"})`, or
  /// `{{"train", "a.csv"}, {"test", "b.csv"}}`.
  DataFiles data_files = {};
  /// Only these rows, as DatasetDict::select: the result has one split and can
  /// be used as a Dataset. Empty: all splits.
  std::string split = {};
  /// Between the fields of "csv".
  char delimiter = ',';
  /// Not empty: the columns of "csv" files without a header line.
  std::vector<std::string> column_names = {};
};

/// Reads files into memory:
/// - `csv`: RFC 4180; integers, numbers and text are told apart by column; an
///   empty cell among numbers is NaN.
/// - `json`: one object a line, or one array of objects; numbers, true and
///   false (1 and 0), text, and lists of numbers.
/// - `text`: every line is a row of the column "text".
/// Files are UTF-8. Files of one split are joined.
///
///     auto data = load_dataset("csv", {.data_files = {{"train", "train.csv"},
///                                                     {"test", "test.csv"}}});
///     Dataset head = load_dataset(
///         "csv", {.data_files = "train.csv", .split = "train[:2000]"});
/// @throws ConfigError for an unknown format, a missing or empty file, and
///   malformed content, with file and line.
[[nodiscard]] ACCELERATE_API DatasetDict
load_dataset(std::string_view format, const LoadDatasetOptions& options);

} // namespace accelerate
