// accelerate/data/dataset_dict.cpp: splits by name, and expressions over them.
#include "accelerate/data/dataset_dict.h"

#include <algorithm>

#include "accelerate/data/split_expression.h"
#include "accelerate/error.h"

namespace accelerate {
namespace {

auto named(std::string_view split) {
  return
      [split](const DatasetDict::Entry& entry) { return entry.first == split; };
}

std::string quoted_names(const DatasetDict& splits) {
  std::string names;
  for (const auto& [name, dataset] : splits) {
    names += concat(names.empty() ? "'" : ", '", name, "'");
  }
  return names.empty() ? "none" : names;
}

} // namespace

DatasetDict::DatasetDict(std::initializer_list<Entry> splits) {
  for (const auto& [split, dataset] : splits) {
    set(split, dataset);
  }
}

const Dataset& DatasetDict::at(std::string_view split) const {
  const auto found = std::find_if(splits_.begin(), splits_.end(), named(split));
  ACCELERATE_CHECK(
      found != splits_.end(),
      ConfigError,
      "data.splits",
      "no split '",
      split,
      "'; the splits are ",
      quoted_names(*this));
  return found->second;
}

bool DatasetDict::contains(std::string_view split) const {
  return std::any_of(splits_.begin(), splits_.end(), named(split));
}

void DatasetDict::set(std::string_view split, Dataset dataset) {
  const auto found = std::find_if(splits_.begin(), splits_.end(), named(split));
  if (found == splits_.end()) {
    splits_.emplace_back(std::string(split), std::move(dataset));
  } else {
    found->second = std::move(dataset);
  }
}

std::vector<std::string> DatasetDict::split_names() const {
  std::vector<std::string> names;
  for (const auto& [name, dataset] : splits_) {
    names.push_back(name);
  }
  return names;
}

Dataset DatasetDict::select(std::string_view expression) const {
  std::vector<Dataset> parts;
  for (const data::SplitSlice& slice :
       data::parse_split_expression(expression)) {
    const Dataset& dataset = at(slice.split);
    const data::RowRange rows = slice.resolve(dataset.size());
    parts.push_back(dataset.slice(rows.begin, rows.end));
  }
  if (parts.size() == 1) {
    return parts.front();
  }
  std::vector<Table> tables;
  for (const Dataset& part : parts) {
    tables.push_back(part.table());
  }
  return Dataset(Table::concat(tables));
}

DatasetDict::operator Dataset() const {
  ACCELERATE_CHECK(
      splits_.size() == 1,
      ConfigError,
      "data.splits",
      "one dataset was asked for, but there are ",
      splits_.size(),
      " splits: ",
      quoted_names(*this),
      "; choose one with [\"name\"]");
  return splits_.front().second;
}

DatasetDict DatasetDict::filter(
    const Dataset::Predicate& keep,
    const MapOptions& options) const {
  return transformed(
      [&](const Dataset& dataset) { return dataset.filter(keep, options); });
}

DatasetDict DatasetDict::shuffle(std::uint64_t seed) const {
  return transformed(
      [&](const Dataset& dataset) { return dataset.shuffle(seed); });
}

DatasetDict DatasetDict::rename_column(
    std::string_view from,
    std::string_view to) const {
  return transformed(
      [&](const Dataset& dataset) { return dataset.rename_column(from, to); });
}

DatasetDict DatasetDict::remove_columns(
    const std::vector<std::string>& names) const {
  return transformed(
      [&](const Dataset& dataset) { return dataset.remove_columns(names); });
}

} // namespace accelerate
