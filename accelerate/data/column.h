// accelerate/data/column.h: one typed, immutable column of a table, stored
// contiguously.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/data/example.h"

namespace accelerate {

enum class ColumnKind { kInt64, kDouble, kString, kInt64List, kDoubleList };

/// `int64`, `double`, `string`, `list of int64`, `list of double`.
[[nodiscard]] ACCELERATE_API std::string_view to_string(ColumnKind kind);

/// A view of one list of integers. Storage is 4 bytes a value where every value
/// of the column fits (token ids do), else 8; reading always gives 64 bits.
class Int64ListView {
 public:
  explicit Int64ListView(std::span<const std::int32_t> values)
      : narrow_(values.data()), size_(values.size()) {}
  explicit Int64ListView(std::span<const std::int64_t> values)
      : wide_(values.data()), size_(values.size()) {}

  [[nodiscard]] std::size_t size() const {
    return size_;
  }
  [[nodiscard]] std::int64_t operator[](std::size_t index) const {
    return wide_ != nullptr ? wide_[index] : narrow_[index];
  }
  /// Where the stored values begin, and how many bytes they take.
  [[nodiscard]] const void* data() const {
    return wide_ != nullptr ? static_cast<const void*>(wide_) : narrow_;
  }
  [[nodiscard]] std::size_t size_bytes() const {
    return size_ * (wide_ != nullptr ? sizeof *wide_ : sizeof *narrow_);
  }
  /// Writes the first `count` values to `out`. @param count at most size().
  void copy_to(std::int64_t* out, std::size_t count) const {
    if (wide_ != nullptr) {
      for (std::size_t i = 0; i < count; ++i) {
        out[i] = wide_[i];
      }
    } else {
      for (std::size_t i = 0; i < count; ++i) {
        out[i] = narrow_[i];
      }
    }
  }
  [[nodiscard]] std::vector<std::int64_t> to_vector() const {
    std::vector<std::int64_t> values(size_);
    copy_to(values.data(), size_);
    return values;
  }

 private:
  const std::int32_t* narrow_ = nullptr;
  const std::int64_t* wide_ = nullptr;
  std::size_t size_;
};

/// A column: cheap to copy, never changes. A slice shares the storage.
/// Reading the wrong kind, or a row out of range, is a ConfigError.
/// Thread-safety: any number of readers.
class ACCELERATE_API Column {
 public:
  /// An empty column of int64.
  Column();

  [[nodiscard]] static Column of(std::vector<std::int64_t> values);
  [[nodiscard]] static Column of(std::vector<double> values);
  [[nodiscard]] static Column of(const std::vector<std::string>& values);
  [[nodiscard]] static Column of(
      const std::vector<std::vector<std::int64_t>>& rows);
  [[nodiscard]] static Column of(const std::vector<std::vector<double>>& rows);

  /// Takes ready-made storage without copying: row i is
  /// values[offsets[i] .. offsets[i + 1]).
  /// @param offsets rows + 1 entries, first 0, never falling, last = the size
  ///   of values. @throws ConfigError when they are not.
  [[nodiscard]] static Column of_lists(
      std::vector<std::int32_t> values,
      std::vector<std::int64_t> offsets);
  [[nodiscard]] static Column of_lists(
      std::vector<std::int64_t> values,
      std::vector<std::int64_t> offsets);
  [[nodiscard]] static Column of_lists(
      std::vector<double> values,
      std::vector<std::int64_t> offsets);
  /// The same for text; `bytes` is all rows joined.
  [[nodiscard]] static Column of_strings(
      std::string bytes,
      std::vector<std::int64_t> offsets);

  [[nodiscard]] ColumnKind kind() const;
  /// Rows.
  [[nodiscard]] std::int64_t size() const {
    return size_;
  }

  [[nodiscard]] std::int64_t int64_at(std::int64_t row) const;
  [[nodiscard]] double double_at(std::int64_t row) const;
  /// Valid as long as any column shares this one's storage.
  [[nodiscard]] std::string_view string_at(std::int64_t row) const;
  [[nodiscard]] Int64ListView int64_list_at(std::int64_t row) const;
  [[nodiscard]] std::span<const double> double_list_at(std::int64_t row) const;
  /// The cell, copied out.
  [[nodiscard]] Value value_at(std::int64_t row) const;

  /// All values of a column of that kind, without copying.
  [[nodiscard]] std::span<const std::int64_t> int64_values() const;
  [[nodiscard]] std::span<const double> double_values() const;

  /// Rows [begin, begin + count), sharing the storage.
  [[nodiscard]] Column slice(std::int64_t begin, std::int64_t count) const;
  /// The rows named by `rows`, in that order, copied.
  [[nodiscard]] Column take(std::span<const std::int64_t> rows) const;
  /// All rows of all parts. An int64 part beside a double part becomes double;
  /// any other mixture is a ConfigError.
  [[nodiscard]] static Column concat(std::span<const Column> parts);

 private:
  friend class ColumnBuilder;
  struct Storage;

  explicit Column(std::shared_ptr<const Storage> storage, std::int64_t size);
  void check(ColumnKind kind, std::int64_t row) const;

  std::shared_ptr<const Storage> storage_;
  std::int64_t begin_ = 0; // of this slice, in rows of the storage
  std::int64_t size_ = 0;
};

/// Collects cells one at a time. The first cell decides the kind; int64 widens
/// to double (and a list of int64 to a list of double) when a later cell needs
/// it.
class ACCELERATE_API ColumnBuilder {
 public:
  ColumnBuilder();
  explicit ColumnBuilder(ColumnKind kind);
  ColumnBuilder(ColumnBuilder&&) noexcept;
  ColumnBuilder& operator=(ColumnBuilder&&) noexcept;
  ~ColumnBuilder();

  void append(std::int64_t value);
  void append(double value);
  void append(std::string_view value);
  void append(std::span<const std::int32_t> values);
  void append(std::span<const std::int64_t> values);
  void append(std::span<const double> values);
  /// @throws ConfigError when the cell does not fit the column's kind, or is a
  ///   tensor.
  void append(const Value& value);

  [[nodiscard]] std::int64_t size() const;
  /// Hands the column out and starts anew.
  [[nodiscard]] Column finish();

 private:
  void require(ColumnKind kind);

  std::unique_ptr<Column::Storage> storage_;
  bool is_decided_ = false;
};

} // namespace accelerate
