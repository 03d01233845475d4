// accelerate/comm/collectives.h: gather, reduce, broadcast, pad and barrier
// over nested values.
//
// Every collective first compares operation, dtypes and shapes over the ranks
// with one small message (32 bytes a rank): ranks that disagree all get a
// CommError that names both sides instead of a hang or garbage. After such a
// disagreement the group can still be used, because all ranks saw it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/nested/visit_tensors.h"

namespace accelerate {

enum class Reduction { kSum, kMean, kMax };

struct PadAcrossOptions {
  /// Dimension to pad; negative counts from the end. Tensors without this
  /// dimension stay as they are.
  std::int64_t dim = 0;
  /// Value of the padding.
  double pad_index = 0;
  /// Padding comes before the data instead of after it.
  bool pad_first = false;
};

/// The same operations on plain lists; the templates below are made of them.
namespace comm {

ACCELERATE_API std::vector<at::Tensor> gather(
    const ProcessGroup& group,
    const std::vector<at::Tensor>& tensors);

ACCELERATE_API std::vector<at::Tensor> reduce(
    const ProcessGroup& group,
    const std::vector<at::Tensor>& tensors,
    Reduction reduction);

ACCELERATE_API std::vector<at::Tensor> broadcast(
    const ProcessGroup& group,
    const std::vector<at::Tensor>& tensors,
    int from_rank);

ACCELERATE_API std::vector<at::Tensor> pad_across_processes(
    const ProcessGroup& group,
    const std::vector<at::Tensor>& tensors,
    const PadAcrossOptions& options);

/// `value` with its tensors replaced, in visiting order.
template <TensorVisitable T>
[[nodiscard]] T with_tensors(
    const T& value,
    const std::vector<at::Tensor>& tensors) {
  auto next = tensors.begin();
  return map_tensors(value, [&](const at::Tensor&) { return *next++; });
}

} // namespace comm

/// Collective. Blocking. Concatenates every tensor over the ranks on dimension
/// 0, rank by rank. Tensors without dimensions become one-dimensional.
/// @param value strided tensors of any dtype, same shapes on all ranks
/// @return on every rank the same: shape (world · d0, …), contiguous, without
///   gradient history, on the device of the input
/// @throws CommError when shapes, dtypes or the number of tensors differ, when
///   a rank is in another collective, gone or late
/// Source: accelerate Accelerator.gather
template <TensorVisitable T>
[[nodiscard]] T gather(const ProcessGroup& group, const T& value) {
  return comm::with_tensors(value, comm::gather(group, tensors_of(value)));
}

/// Collective. Blocking. Combines every tensor over the ranks.
/// half and bfloat16 are combined in float. Integers: sum and max; the sum of
/// bool is int64 as in at::sum.
/// @return new tensors of the same shapes, the same on every rank
/// @throws ConfigError for the mean of integers
/// @throws CommError as gather()
/// Source: accelerate Accelerator.reduce
template <TensorVisitable T>
[[nodiscard]] T
reduce(const ProcessGroup& group, const T& value, Reduction reduction) {
  return comm::with_tensors(
      value, comm::reduce(group, tensors_of(value), reduction));
}

/// Collective. Blocking. Every rank gets the values of `from_rank`. The input
/// is not changed.
/// @param value shapes and dtypes as on `from_rank`
/// @throws ConfigError when `from_rank` is no rank of the group
/// @throws CommError as gather()
/// Source: accelerate.utils.broadcast
template <TensorVisitable T>
[[nodiscard]] T
broadcast(const ProcessGroup& group, const T& value, int from_rank = 0) {
  return comm::with_tensors(
      value, comm::broadcast(group, tensors_of(value), from_rank));
}

/// Collective. Blocking. Pads every tensor on one dimension to the largest size
/// that any rank has, so that gather() can take it.
/// @param value the same number of tensors on all ranks; dtypes and numbers of
///   dimensions as well
/// @throws CommError as gather()
/// Source: accelerate Accelerator.pad_across_processes
template <TensorVisitable T>
[[nodiscard]] T pad_across_processes(
    const ProcessGroup& group,
    const T& value,
    const PadAcrossOptions& options = {}) {
  return comm::with_tensors(
      value, comm::pad_across_processes(group, tensors_of(value), options));
}

/// Collective. Blocking. Returns when every rank has called it.
/// @throws CommError as gather()
ACCELERATE_API void barrier(const ProcessGroup& group);

} // namespace accelerate
