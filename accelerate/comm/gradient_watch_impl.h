// accelerate/comm/gradient_watch_impl.h: what a group remembers of the
// gradients that its reducers exchange.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/comm/gradient_watch.h"

namespace accelerate::comm {

/// A part of a bucket: the gradient of one parameter.
struct BucketPart {
  NamedTensor parameter;
  std::int64_t offset = 0; ///< in elements
  std::int64_t length = 0;
};

/// Thread-safety: buckets come from autograd's thread, questions from the
/// user's.
class GradientWatch {
 public:
  void start() {
    is_on_ = true;
  }
  [[nodiscard]] bool is_on() const {
    return is_on_;
  }
  /// @param bucket flat, about to be averaged
  /// @param parts empty when they are unknown
  void look_at(const at::Tensor& bucket, const std::vector<BucketPart>& parts);
  [[nodiscard]] WatchedGradients take();

 private:
  /// A bucket on a device: asked later, so that nothing waits now.
  struct Pending {
    at::Tensor is_finite;
    std::vector<BucketPart> parts;
  };

  std::atomic<bool> is_on_ = false;
  std::mutex mutex_;
  WatchedGradients found_;
  std::vector<Pending> pending_;
};

} // namespace accelerate::comm
