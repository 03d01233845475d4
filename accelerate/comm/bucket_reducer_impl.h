// accelerate/comm/bucket_reducer_impl.h: the part of c10d's Reducer that we
// use, without its headers and without the differences between its versions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/util/intrusive_ptr.h>

#include "accelerate/comm/gradient_reducer.h"
#include "accelerate/comm/join_link_impl.h"

namespace accelerate::comm {

/// Gradients in buckets that are averaged while backward runs. Armed: the next
/// gradients of its parameters are reduced; the reduction disarms it.
class BucketReducer {
 public:
  virtual ~BucketReducer() = default;

  /// @param parameters trainable, each once
  /// @param link told before every exchange; not null
  static std::shared_ptr<BucketReducer> create(
      const ProcessGroup& group,
      const std::vector<NamedTensor>& parameters,
      const DistributedDataParallelOptions& options,
      const std::shared_ptr<JoinLink>& link);

  [[nodiscard]] virtual bool is_armed() const = 0;
  /// Indices of parameters without gradient in a reduction that began and did
  /// not end; empty when there is none.
  [[nodiscard]] virtual std::vector<std::size_t> missing_gradients() = 0;
  /// True when `loss` was computed from one of the parameters.
  [[nodiscard]] virtual bool reaches(const at::Tensor& loss) const = 0;

  /// Counts an iteration.
  virtual void begin_iteration() = 0;
  /// Collective the first time after a reduction: orders the buckets as
  /// gradients became ready.
  virtual void rebuild_buckets() = 0;
  /// @param outputs where to look for unused parameters
  virtual void arm(const std::vector<at::Tensor>& outputs) = 0;
  /// For the first iteration of a static graph: reduce everything at the end of
  /// the backward of `loss`.
  virtual void reduce_after(const at::Tensor& loss) = 0;
  [[nodiscard]] virtual bool is_first_iteration() const = 0;
  /// Whether rebuild_buckets() will communicate.
  [[nodiscard]] virtual bool orders_buckets_next() const = 0;

  /// Before the first reduction.
  virtual void register_hook(std::unique_ptr<c10d::CommHookInterface> hook) = 0;

  /// Collective: this rank's part in the exchange of a bucket, with gradients
  /// of zero.
  virtual void shadow_bucket(std::size_t index) = 0;
  /// Collective: the same for which parameters were used: none here.
  virtual void shadow_used_parameters() = 0;
};

} // namespace accelerate::comm
