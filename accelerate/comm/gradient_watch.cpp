// accelerate/comm/gradient_watch.cpp
#include "accelerate/comm/gradient_watch.h"

#include "accelerate/comm/gradient_watch_impl.h"
#include "accelerate/comm/process_group_impl.h"
#include "accelerate/nested/finite.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>

#include <utility>

namespace accelerate {
namespace comm {

void GradientWatch::look_at(
    const at::Tensor& bucket,
    const std::vector<BucketPart>& parts) {
  const at::NoGradGuard no_grad;
  const std::scoped_lock lock(mutex_);
  found_.were_exchanged = true;
  if (!bucket.is_cpu()) {
    pending_.push_back({at::isfinite(bucket).all(), parts});
    return;
  }
  if (is_finite(bucket)) {
    return;
  }
  for (const BucketPart& part : parts) {
    if (!is_finite(bucket.narrow(0, part.offset, part.length))) {
      found_.not_finite.push_back(part.parameter);
    }
  }
  if (parts.empty()) {
    found_.not_finite.push_back({"", at::Tensor()});
  }
}

WatchedGradients GradientWatch::take() {
  const std::scoped_lock lock(mutex_);
  for (const Pending& bucket : std::exchange(pending_, {})) {
    if (bucket.is_finite.item<bool>()) {
      continue;
    }
    // Averaged by now: what was not finite here is not finite anywhere.
    for (const BucketPart& part : bucket.parts) {
      if (!is_finite(part.parameter.tensor.grad())) {
        found_.not_finite.push_back(part.parameter);
      }
    }
  }
  return std::exchange(found_, {});
}

} // namespace comm

void watch_gradients(const ProcessGroup& group) {
  group.impl().gradient_watch.start();
}

WatchedGradients take_watched_gradients(const ProcessGroup& group) {
  return group.impl().gradient_watch.take();
}

} // namespace accelerate
