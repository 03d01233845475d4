// accelerate/comm/gradient_reducer_impl.h: what a GradientReducer and a join
// know of one model.
#pragma once

#include <memory>
#include <vector>

#include "accelerate/comm/bucket_reducer_impl.h"
#include "accelerate/comm/gradient_reducer.h"

namespace accelerate {

struct GradientReducer::Impl {
  ProcessGroup group;
  DistributedDataParallelOptions options;
  std::vector<NamedTensor> parameters; // trainable, each once
  std::vector<NamedTensor> buffers;
  std::shared_ptr<comm::BucketReducer> reducer; // null when inactive
  std::shared_ptr<int> no_sync_depth = std::make_shared<int>(0);
  std::shared_ptr<comm::JoinLink> link = std::make_shared<comm::JoinLink>();
  /// The last forward in training was outside no_sync.
  bool last_forward_synced = false;
  /// A forward in training may have changed buffers since the last broadcast.
  bool buffers_may_differ = false;
  /// The hook that ends the first static backward is on its loss.
  bool ends_static_backward = false;
  /// before_forward() was called, or its absence was reported.
  bool is_in_use = false;
  /// An exchange of gradients was readied, so hooks come too late.
  bool was_armed = false;

  [[nodiscard]] bool synchronizes() const {
    return *no_sync_depth == 0;
  }
  [[nodiscard]] bool sends_buffers() const {
    return options.broadcast_buffers && !buffers.empty();
  }
  void check_finished();
  void broadcast_buffers();
  void rebuild_buckets();
  void arm(const std::vector<at::Tensor>& outputs);
  /// Nobody ever ran the model through its handle, yet the loss is its work:
  /// its gradients would stay on this rank. After one forward a loss on the
  /// parameters alone (a penalty on weights) is taken for what it is.
  void check_in_use(const at::Tensor& loss);
  void rearm(const at::Tensor& loss);
  /// Takes part in what another rank announced, with nothing of our own.
  void shadow(const comm::Announcement& step);
  [[nodiscard]] double sum_count(double count) const;
};

} // namespace accelerate
