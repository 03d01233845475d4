// accelerate/nested/batch.h: named tensors in a fixed order, what a loader
// yields and a model takes.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"

namespace accelerate {

/// A small ordered map from column name to tensor. Dimension 0 of every tensor
/// is the sample. Copies share the tensors.
class ACCELERATE_API Batch {
 public:
  using Entry = std::pair<std::string, at::Tensor>;

  Batch() = default;
  Batch(std::initializer_list<Entry> entries);

  /// @throws ConfigError naming the columns that exist.
  [[nodiscard]] const at::Tensor& at(std::string_view name) const;
  [[nodiscard]] const at::Tensor& operator[](std::string_view name) const {
    return at(name);
  }
  /// nullptr when there is no such column.
  [[nodiscard]] const at::Tensor* find(std::string_view name) const;
  [[nodiscard]] bool contains(std::string_view name) const {
    return find(name) != nullptr;
  }

  /// Adds the column, or replaces its tensor in place.
  void set(std::string_view name, at::Tensor tensor);
  /// Removes the column if it is there.
  void erase(std::string_view name);

  [[nodiscard]] std::size_t size() const {
    return entries_.size();
  }
  [[nodiscard]] bool empty() const {
    return entries_.empty();
  }
  /// Samples on this rank: dimension 0 of the first tensor, 0 when empty.
  [[nodiscard]] std::int64_t num_samples() const;

  [[nodiscard]] auto begin() const {
    return entries_.begin();
  }
  [[nodiscard]] auto end() const {
    return entries_.end();
  }
  [[nodiscard]] auto begin() {
    return entries_.begin();
  }
  [[nodiscard]] auto end() {
    return entries_.end();
  }

 private:
  std::vector<Entry> entries_;
};

} // namespace accelerate
