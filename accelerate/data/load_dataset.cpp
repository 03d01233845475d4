// accelerate/data/load_dataset.cpp: one reader per format.
#include "accelerate/data/load_dataset.h"

#include <algorithm>

#include "accelerate/data/csv_impl.h"
#include "accelerate/data/json_records_impl.h"
#include "accelerate/data/split_expression.h"
#include "accelerate/data/text_file_impl.h"
#include "accelerate/error.h"

namespace accelerate {
namespace {

Table parse_lines(const data::TextFile& file) {
  ColumnBuilder lines(ColumnKind::kString);
  std::string_view rest = file.text;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    lines.append(line);
  }
  return Table({{"text", lines.finish()}});
}

Table parse(
    std::string_view format,
    const data::TextFile& file,
    const LoadDatasetOptions& options) {
  if (format == "csv") {
    return data::parse_csv(
        file,
        {.delimiter = options.delimiter, .column_names = options.column_names});
  }
  return format == "json" ? data::parse_json_records(file) : parse_lines(file);
}

void validate(std::string_view format, const LoadDatasetOptions& options) {
  ACCELERATE_CHECK(
      format == "csv" || format == "json" || format == "text",
      ConfigError,
      "data.load_dataset",
      "unknown format '",
      format,
      "', expected csv, json or text");
  ACCELERATE_CHECK(
      format == "csv" ||
          (options.delimiter == ',' && options.column_names.empty()),
      ConfigError,
      "data.load_dataset",
      "delimiter and column_names are for csv, the format is ",
      format);
  ACCELERATE_CHECK(
      !options.data_files.splits().empty(),
      ConfigError,
      "data.load_dataset",
      "data_files is empty; name the files, e.g. {.data_files = "
      "\"train.csv\"}");
}

Dataset load_files(
    std::string_view format,
    const DataFiles::Split& split,
    const LoadDatasetOptions& options) {
  ACCELERATE_CHECK(
      !split.files.paths().empty(),
      ConfigError,
      "data.load_dataset",
      "the split '",
      split.name,
      "' has no files");
  std::vector<Table> tables;
  for (const std::filesystem::path& path : split.files.paths()) {
    tables.push_back(parse(format, data::read_text_file(path), options));
  }
  Table table = Table::concat(tables);
  // Types are decided when all rows are there, whatever file they came from.
  return Dataset(format == "csv" ? data::infer_types(table) : table);
}

} // namespace

DatasetDict load_dataset(
    std::string_view format,
    const LoadDatasetOptions& options) {
  validate(format, options);
  DatasetDict splits;
  for (const DataFiles::Split& split : options.data_files.splits()) {
    ACCELERATE_CHECK(
        !splits.contains(split.name),
        ConfigError,
        "data.load_dataset",
        "the split '",
        split.name,
        "' is named twice; join its files with files({…})");
    splits.set(split.name, load_files(format, split, options));
  }
  if (options.split.empty()) {
    return splits;
  }
  std::string name;
  for (const data::SplitSlice& term :
       data::parse_split_expression(options.split)) {
    name += concat(name.empty() ? "" : "+", term.split);
  }
  return {{name, splits.select(options.split)}};
}

} // namespace accelerate
