// accelerate/data/json_records_impl.h: JSON lines, or an array of objects, into
// a table.
#pragma once

#include "accelerate/api.h"
#include "accelerate/data/table.h"
#include "accelerate/data/text_file_impl.h"

namespace accelerate::data {

/// One row per object; the file is one array of objects, or one object a line.
/// Numbers, true and false (1 and 0), text, and lists of numbers are columns.
/// The first object names the columns. A key that a later object lacks, like
/// null, is NaN in a column of numbers.
/// @throws ConfigError with file and line (or element of the array) for
///   malformed JSON, a value that is no object, another nested value, a key
///   that the first object lacks, a missing or null text or list, and values of
///   different types in one column.
[[nodiscard]] ACCELERATE_API Table parse_json_records(const TextFile& file);

} // namespace accelerate::data
