// accelerate/data/json_records.cpp: objects are taken apart one by one.
#include "accelerate/data/json_records_impl.h"

#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "accelerate/error.h"

namespace accelerate::data {
namespace {

using Json = nlohmann::ordered_json;

// Array of objects of lists: deeper values are refused anyway, so the parser
// need not build them.
constexpr int kMaxDepth = 4;

/// Where a value stands: a line, or an element of the array.
struct Place {
  const std::string& file;
  std::string_view unit; // "" or "element "
  std::int64_t index;

  [[noreturn]] void fail(std::string_view what) const {
    throw ConfigError(error_message(
        "data.load_dataset", concat(file, ':', unit, index, ": ", what)));
  }
};

Json parse(std::string_view text) {
  const auto refuse_depth =
      [](int depth, Json::parse_event_t event, const Json&) {
        const bool is_opening = event == Json::parse_event_t::object_start ||
            event == Json::parse_event_t::array_start;
        if (is_opening && depth >= kMaxDepth) {
          throw ConfigError("values are nested too deeply");
        }
        return true;
      };
  return Json::parse(text, refuse_depth);
}

std::int64_t integer(const Json& value, const Place& place) {
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() >
          static_cast<std::uint64_t>(
              std::numeric_limits<std::int64_t>::max())) {
    place.fail(concat(value.dump(), " is larger than 64 bits with sign hold"));
  }
  return value.is_boolean() ? static_cast<std::int64_t>(value.get<bool>())
                            : value.get<std::int64_t>();
}

/// One column on its way. Null cells before the first value wait until its
/// type is known.
class RecordColumn {
 public:
  explicit RecordColumn(std::string name) : name_(std::move(name)) {}

  [[nodiscard]] const std::string& name() const {
    return name_;
  }

  void append(const Json& value, const Place& place) {
    if (value.is_null()) {
      append_null(place);
      return;
    }
    if (!is_known_) {
      is_known_ = true;
      is_number_ = value.is_number() || value.is_boolean();
      for (; leading_nulls_ > 0; --leading_nulls_) {
        append_null(place);
      }
    }
    try {
      append_known(value, place);
    } catch (const ConfigError& error) {
      place.fail(concat("'", name_, "': ", error.what()));
    }
  }

  void append_null(const Place& place) {
    if (!is_known_) {
      ++leading_nulls_;
    } else if (is_number_) {
      builder_.append(std::numeric_limits<double>::quiet_NaN());
    } else {
      place.fail(concat(
          "'",
          name_,
          "' is missing or null, which only a column of numbers can hold"));
    }
  }

  Table::Entry finish(const std::string& file) {
    ACCELERATE_CHECK(
        is_known_,
        ConfigError,
        "data.load_dataset",
        file,
        ": '",
        name_,
        "' holds nothing but null");
    return {name_, builder_.finish()};
  }

 private:
  void append_known(const Json& value, const Place& place) {
    if (value.is_string()) {
      builder_.append(std::string_view(value.get_ref<const std::string&>()));
    } else if (value.is_number_float()) {
      builder_.append(value.get<double>());
    } else if (value.is_number() || value.is_boolean()) {
      builder_.append(integer(value, place));
    } else if (value.is_array()) {
      append_list(value, place);
    } else {
      place.fail(concat(
          "'",
          name_,
          "' is an object; expected a number, text "
          "or a list of numbers"));
    }
  }

  void append_list(const Json& list, const Place& place) {
    std::vector<std::int64_t> integers;
    std::vector<double> doubles;
    bool is_integer = true;
    for (const Json& item : list) {
      if (!item.is_number() && !item.is_boolean()) {
        place.fail(concat("'", name_, "' is a list of more than numbers"));
      }
      is_integer = is_integer && !item.is_number_float();
      doubles.push_back(
          item.is_boolean() ? static_cast<double>(item.get<bool>())
                            : item.get<double>());
      if (is_integer) {
        integers.push_back(integer(item, place));
      }
    }
    if (is_integer) {
      builder_.append(std::span<const std::int64_t>(integers));
    } else {
      builder_.append(std::span<const double>(doubles));
    }
  }

  std::string name_;
  ColumnBuilder builder_;
  bool is_known_ = false;
  bool is_number_ = false;
  std::int64_t leading_nulls_ = 0;
};

class RecordTable {
 public:
  void append(const Json& record, const Place& place) {
    if (!record.is_object()) {
      place.fail(concat("expected an object, got ", record.type_name()));
    }
    if (columns_.empty()) {
      for (const auto& [key, value] : record.items()) {
        columns_.emplace_back(key);
      }
    }
    std::size_t found = 0;
    for (RecordColumn& column : columns_) {
      const auto value = record.find(column.name());
      if (value == record.end()) {
        column.append_null(place);
      } else {
        column.append(*value, place);
        ++found;
      }
    }
    if (found != record.size()) {
      fail_for_new_key(record, place);
    }
  }

  Table finish(const std::string& file) {
    std::vector<Table::Entry> columns;
    for (RecordColumn& column : columns_) {
      columns.push_back(column.finish(file));
    }
    ACCELERATE_CHECK(
        !columns.empty(),
        ConfigError,
        "data.load_dataset",
        "'",
        file,
        "' holds no records");
    return Table(std::move(columns));
  }

 private:
  [[noreturn]] void fail_for_new_key(const Json& record, const Place& place)
      const {
    for (const auto& [key, value] : record.items()) {
      bool is_known = false;
      for (const RecordColumn& column : columns_) {
        is_known = is_known || column.name() == key;
      }
      if (!is_known) {
        place.fail(concat("the first record has no '", key, "'"));
      }
    }
    place.fail("a key appears twice");
  }

  std::vector<RecordColumn> columns_;
};

Table parse_array(const TextFile& file) {
  RecordTable table;
  Json array;
  try {
    array = parse(file.text);
  } catch (const std::exception& error) {
    throw ConfigError(error_message(
        "data.load_dataset", concat(file.name, ": ", error.what())));
  }
  std::int64_t index = 0;
  for (const Json& record : array) {
    table.append(record, {file.name, "element ", index++});
  }
  return table.finish(file.name);
}

Table parse_lines(const TextFile& file) {
  RecordTable table;
  std::string_view rest = file.text;
  for (std::int64_t line = 1; !rest.empty(); ++line) {
    const std::string_view text = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(text.size() + 1, rest.size()));
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    Json record;
    try {
      record = parse(text);
    } catch (const std::exception& error) {
      throw_at_line(file.name, line, error.what());
    }
    table.append(record, {file.name, "", line});
  }
  return table.finish(file.name);
}

} // namespace

Table parse_json_records(const TextFile& file) {
  const std::size_t first = file.text.find_first_not_of(" \t\r\n");
  const bool is_array = first != std::string::npos && file.text[first] == '[';
  return is_array ? parse_array(file) : parse_lines(file);
}

} // namespace accelerate::data
