// accelerate/data/example.h: one sample, as named values in a fixed order.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"

namespace accelerate {

/// A cell: an integer, a floating number, text, a list of either kind of
/// number, or a tensor (of one sample, without the batch dimension).
class ACCELERATE_API Value {
 public:
  using Variant = std::variant<
      std::int64_t,
      double,
      std::string,
      std::vector<std::int64_t>,
      std::vector<double>,
      at::Tensor>;

  Value() = default;
  template <std::integral T> // NOLINTNEXTLINE(google-explicit-constructor)
  Value(T number) : variant_(static_cast<std::int64_t>(number)) {}
  template <
      std::floating_point T> // NOLINTNEXTLINE(google-explicit-constructor)
  Value(T number) : variant_(static_cast<double>(number)) {}
  Value(const char* text) : variant_(std::string(text)) {} // NOLINT
  Value(std::string_view text) : variant_(std::string(text)) {} // NOLINT
  Value(std::string text) : variant_(std::move(text)) {} // NOLINT
  Value(std::vector<std::int64_t> list) : variant_(std::move(list)) {} // NOLINT
  Value(std::vector<double> list) : variant_(std::move(list)) {} // NOLINT
  Value(at::Tensor tensor) : variant_(std::move(tensor)) {} // NOLINT

  template <typename T>
  [[nodiscard]] const T* get_if() const {
    return std::get_if<T>(&variant_);
  }
  [[nodiscard]] const Variant& variant() const {
    return variant_;
  }
  /// `int64`, `double`, `string`, `list of int64`, `list of double`, `tensor`.
  [[nodiscard]] std::string_view type_name() const;

 private:
  Variant variant_;
};

/// One row of a table: a small ordered map from column name to value.
class ACCELERATE_API Example {
 public:
  using Entry = std::pair<std::string, Value>;

  Example() = default;
  Example(std::initializer_list<Entry> entries);

  /// @throws ConfigError naming the columns that exist.
  [[nodiscard]] const Value& at(std::string_view name) const;
  [[nodiscard]] const Value& operator[](std::string_view name) const {
    return at(name);
  }
  /// nullptr when there is no such column.
  [[nodiscard]] const Value* find(std::string_view name) const;
  [[nodiscard]] bool contains(std::string_view name) const {
    return find(name) != nullptr;
  }

  /// The value as one of std::int64_t, double, std::string,
  /// std::vector<std::int64_t>, std::vector<double>, at::Tensor.
  /// @throws ConfigError when the column is missing or of another type.
  template <typename T>
  [[nodiscard]] const T& get(std::string_view name) const {
    const Value& value = at(name);
    const T* typed = value.get_if<T>();
    if (typed == nullptr) {
      throw_wrong_type(name, value, Value(T{}));
    }
    return *typed;
  }

  /// Adds the column, or replaces its value in place.
  void set(std::string_view name, Value value);
  /// Removes the column if it is there.
  void erase(std::string_view name);

  [[nodiscard]] std::size_t size() const {
    return entries_.size();
  }
  [[nodiscard]] auto begin() const {
    return entries_.begin();
  }
  [[nodiscard]] auto end() const {
    return entries_.end();
  }

 private:
  [[noreturn]] static void throw_wrong_type(
      std::string_view name,
      const Value& got,
      const Value& expected);

  std::vector<Entry> entries_;
};

} // namespace accelerate
