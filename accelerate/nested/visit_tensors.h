// accelerate/nested/visit_tensors.h: the one extension point through which
// device moves, casts and collectives reach the tensors of a value.
#pragma once

#include <array>
#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/nested/batch.h"

namespace accelerate {

/// visit_tensors(value, visitor) calls visitor(tensor&) for every defined
/// tensor in `value`, in a fixed order. The visitor may replace the tensor.
///
/// Known: at::Tensor, Batch, vectors, arrays, pairs, tuples, optionals and maps
/// of known types. A type of your own joins by a function beside it, found by
/// argument-dependent lookup:
///
///     struct Output { at::Tensor loss, logits; };
///     template <typename F>
///     void visit_tensors(Output& output, F&& visit) {
///       accelerate::visit_all(visit, output.loss, output.logits);
///     }
///
/// Undefined tensors are skipped.
template <typename F>
void visit_tensors(at::Tensor& tensor, F&& visit) {
  if (tensor.defined()) {
    visit(tensor);
  }
}

template <typename F>
void visit_tensors(Batch& batch, F&& visit) {
  for (auto& [name, tensor] : batch) {
    visit_tensors(tensor, visit);
  }
}

template <typename T, typename F>
void visit_tensors(std::vector<T>& values, F&& visit);
template <typename T, std::size_t N, typename F>
void visit_tensors(std::array<T, N>& values, F&& visit);
template <typename T, typename F>
void visit_tensors(std::optional<T>& value, F&& visit);
template <typename A, typename B, typename F>
void visit_tensors(std::pair<A, B>& value, F&& visit);
template <typename... T, typename F>
void visit_tensors(std::tuple<T...>& value, F&& visit);
template <typename K, typename T, typename F>
void visit_tensors(std::map<K, T>& values, F&& visit);

/// Visits several members in the order given.
template <typename F, typename... T>
void visit_all(F&& visit, T&... members) {
  (visit_tensors(members, visit), ...);
}

template <typename T, typename F>
void visit_tensors(std::vector<T>& values, F&& visit) {
  for (T& value : values) {
    visit_tensors(value, visit);
  }
}

template <typename T, std::size_t N, typename F>
void visit_tensors(std::array<T, N>& values, F&& visit) {
  for (T& value : values) {
    visit_tensors(value, visit);
  }
}

template <typename T, typename F>
void visit_tensors(std::optional<T>& value, F&& visit) {
  if (value) {
    visit_tensors(*value, visit);
  }
}

template <typename A, typename B, typename F>
void visit_tensors(std::pair<A, B>& value, F&& visit) {
  visit_all(visit, value.first, value.second);
}

template <typename... T, typename F>
void visit_tensors(std::tuple<T...>& value, F&& visit) {
  std::apply([&](T&... members) { visit_all(visit, members...); }, value);
}

template <typename K, typename T, typename F>
void visit_tensors(std::map<K, T>& values, F&& visit) {
  for (auto& [key, value] : values) {
    visit_tensors(value, visit);
  }
}

/// True for types whose tensors visit_tensors reaches.
template <typename T>
concept TensorVisitable = requires(T& value) {
  visit_tensors(value, [](at::Tensor&) {});
};

/// All defined tensors of a value, in visiting order.
template <TensorVisitable T>
[[nodiscard]] std::vector<at::Tensor> tensors_of(const T& value) {
  std::vector<at::Tensor> tensors;
  // Visiting needs a mutable value because visitors may replace tensors; this
  // one only looks, so a shallow copy is enough.
  T copy = value;
  visit_tensors(copy, [&](at::Tensor& tensor) { tensors.push_back(tensor); });
  return tensors;
}

/// A copy of `value` in which every tensor is `f(tensor)`.
template <TensorVisitable T, typename F>
[[nodiscard]] T map_tensors(T value, F&& f) {
  visit_tensors(value, [&](at::Tensor& tensor) { tensor = f(tensor); });
  return value;
}

} // namespace accelerate
