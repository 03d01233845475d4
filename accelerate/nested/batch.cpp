// accelerate/nested/batch.cpp: linear search; a batch has a handful of columns.
#include "accelerate/nested/batch.h"

#include <algorithm>

#include "accelerate/error.h"

namespace accelerate {
namespace {

auto named(std::string_view name) {
  return [name](const Batch::Entry& entry) { return entry.first == name; };
}

std::string column_names(const Batch& batch) {
  std::string names;
  for (const auto& [name, tensor] : batch) {
    names += names.empty() ? "'" : ", '";
    names += name + "'";
  }
  return names.empty() ? "none" : names;
}

} // namespace

Batch::Batch(std::initializer_list<Entry> entries) {
  for (const Entry& entry : entries) {
    set(entry.first, entry.second);
  }
}

const at::Tensor* Batch::find(std::string_view name) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), named(name));
  return found == entries_.end() ? nullptr : &found->second;
}

const at::Tensor& Batch::at(std::string_view name) const {
  const at::Tensor* tensor = find(name);
  ACCELERATE_CHECK(
      tensor != nullptr,
      ConfigError,
      "nested.batch",
      "no column '",
      name,
      "' in the batch; its columns are ",
      column_names(*this));
  return *tensor;
}

void Batch::set(std::string_view name, at::Tensor tensor) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), named(name));
  if (found == entries_.end()) {
    entries_.emplace_back(std::string(name), std::move(tensor));
  } else {
    found->second = std::move(tensor);
  }
}

void Batch::erase(std::string_view name) {
  std::erase_if(entries_, named(name));
}

std::int64_t Batch::num_samples() const {
  if (entries_.empty() || entries_.front().second.dim() == 0) {
    return 0;
  }
  return entries_.front().second.size(0);
}

} // namespace accelerate
