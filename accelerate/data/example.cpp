// accelerate/data/example.cpp: linear search; a row has a handful of columns.
#include "accelerate/data/example.h"

#include <algorithm>
#include <array>

#include "accelerate/error.h"

namespace accelerate {
namespace {

auto named(std::string_view name) {
  return [name](const Example::Entry& entry) { return entry.first == name; };
}

std::string column_names(const Example& example) {
  std::string names;
  for (const auto& [name, value] : example) {
    names += concat(names.empty() ? "'" : ", '", name, "'");
  }
  return names.empty() ? "none" : names;
}

} // namespace

std::string_view Value::type_name() const {
  // In the order of Value::Variant.
  static constexpr std::array<std::string_view, 6> kNames = {
      "int64", "double", "string", "list of int64", "list of double", "tensor"};
  static_assert(kNames.size() == std::variant_size_v<Variant>);
  return kNames[variant_.index()];
}

Example::Example(std::initializer_list<Entry> entries) {
  for (const Entry& entry : entries) {
    set(entry.first, entry.second);
  }
}

const Value* Example::find(std::string_view name) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), named(name));
  return found == entries_.end() ? nullptr : &found->second;
}

const Value& Example::at(std::string_view name) const {
  const Value* value = find(name);
  ACCELERATE_CHECK(
      value != nullptr,
      ConfigError,
      "data.example",
      "no column '",
      name,
      "' in the example; its columns are ",
      column_names(*this));
  return *value;
}

void Example::set(std::string_view name, Value value) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), named(name));
  if (found == entries_.end()) {
    entries_.emplace_back(std::string(name), std::move(value));
  } else {
    found->second = std::move(value);
  }
}

void Example::erase(std::string_view name) {
  std::erase_if(entries_, named(name));
}

void Example::throw_wrong_type(
    std::string_view name,
    const Value& got,
    const Value& expected) {
  throw ConfigError(error_message(
      "data.example",
      concat(
          "column '",
          name,
          "' holds ",
          got.type_name(),
          ", expected ",
          expected.type_name())));
}

} // namespace accelerate
