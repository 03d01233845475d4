// accelerate/text/json_field.cpp: typed access with named mistakes.
#include "accelerate/text/json_field_impl.h"

#include <limits>

#include "accelerate/error.h"

namespace accelerate::text {
namespace {

constexpr std::string_view kWhere = "text.tokenizer";

} // namespace

nlohmann::json JsonField::parse(
    std::string_view text,
    std::string_view source) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw ConfigError(
        error_message(kWhere, concat(source, " is no JSON: ", error.what())));
  }
}

void JsonField::fail(std::string_view what) const {
  throw ConfigError(error_message(kWhere, concat(path_, ": ", what)));
}

void JsonField::require(bool is_right, std::string_view expected) const {
  if (!is_right) {
    fail(concat("got ", value_.type_name(), ", expected ", expected));
  }
}

JsonField JsonField::at(const char* key) const {
  const auto found = object().find(key);
  if (found == value_.end()) {
    fail(concat("lacks the field '", key, "'"));
  }
  return {*found, concat(path_, '.', key)};
}

std::optional<JsonField> JsonField::find(const char* key) const {
  const auto found = object().find(key);
  if (found == value_.end() || found->is_null()) {
    return std::nullopt;
  }
  return JsonField(*found, concat(path_, '.', key));
}

JsonField JsonField::element(std::size_t index) const {
  return {value_[index], concat(path_, '[', index, ']')};
}

const std::string& JsonField::string() const {
  require(value_.is_string(), "a string");
  return value_.get_ref<const std::string&>();
}

bool JsonField::boolean() const {
  require(value_.is_boolean(), "true or false");
  return value_.get<bool>();
}

std::int32_t JsonField::index() const {
  require(value_.is_number_unsigned(), "a whole number from 0 on");
  const auto number = value_.get<std::uint64_t>();
  if (number > std::uint64_t{std::numeric_limits<std::int32_t>::max()}) {
    fail(concat("got ", number, ", expected at most 2147483647"));
  }
  return static_cast<std::int32_t>(number);
}

std::size_t JsonField::array_size() const {
  require(value_.is_array(), "an array");
  return value_.size();
}

const nlohmann::json& JsonField::object() const {
  require(value_.is_object(), "an object");
  return value_;
}

bool JsonField::boolean_or(const char* key, bool fallback) const {
  const auto field = find(key);
  return field ? field->boolean() : fallback;
}

std::string JsonField::string_or(const char* key, std::string fallback) const {
  const auto field = find(key);
  return field ? field->string() : std::move(fallback);
}

} // namespace accelerate::text
