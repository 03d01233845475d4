// accelerate/text/json_field_impl.h: reading JSON whose every mistake names the
// field, as `tokenizer.json: model.type`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace accelerate::text {

/// A value and where it stands.
class JsonField {
 public:
  /// Parses a document. @throws ConfigError with the position of the mistake.
  [[nodiscard]] static nlohmann::json parse(
      std::string_view text,
      std::string_view source);

  JsonField(const nlohmann::json& value, std::string path)
      : value_(value), path_(std::move(path)) {}

  /// @throws ConfigError unless this is an object that has the key.
  [[nodiscard]] JsonField at(const char* key) const;
  /// Nothing when the key is missing or its value is null.
  [[nodiscard]] std::optional<JsonField> find(const char* key) const;
  [[nodiscard]] JsonField element(std::size_t index) const;

  /// @throws ConfigError when the value is of another type; integers must lie
  ///   in 0 … 2³¹ - 1.
  [[nodiscard]] const std::string& string() const;
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] std::int32_t index() const;
  /// Number of elements of an array.
  [[nodiscard]] std::size_t array_size() const;
  [[nodiscard]] const nlohmann::json& object() const;

  [[nodiscard]] bool boolean_or(const char* key, bool fallback) const;
  [[nodiscard]] std::string string_or(const char* key, std::string fallback)
      const;

  [[nodiscard]] const nlohmann::json& value() const {
    return value_;
  }
  /// @throws ConfigError `path: what`.
  [[noreturn]] void fail(std::string_view what) const;

 private:
  void require(bool is_right, std::string_view expected) const;

  const nlohmann::json& value_;
  std::string path_;
};

} // namespace accelerate::text
