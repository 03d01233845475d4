// accelerate/comm/comm_hook_impl.h: our own hooks of c10d's Reducer, which get
// each bucket of gradients and answer with its mean over the ranks.
#pragma once

#include <memory>

#include "accelerate/comm/gradient_reducer.h"

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>

namespace accelerate::comm {

using GroupPtr = c10::intrusive_ptr<c10d::ProcessGroup>;
using FuturePtr = c10::intrusive_ptr<c10::ivalue::Future>;

/// A hook whose answer is a tensor.
class TensorHook : public c10d::CommHookInterface {
 public:
  explicit TensorHook(GroupPtr group) : group_(std::move(group)) {}
  at::Tensor parseHookResult(const c10::IValue& result) override;

 protected:
  [[nodiscard]] int world_size() const;
  /// Starts the sum of `tensor` over the ranks, in place.
  [[nodiscard]] c10::intrusive_ptr<c10d::Work> start_sum(
      const at::Tensor& tensor) const;
  /// The same, and waits for it.
  void sum(const at::Tensor& tensor) const;

 private:
  GroupPtr group_;
};

/// An answer that is there already.
[[nodiscard]] FuturePtr completed(const at::Tensor& tensor);

/// The hook that the options ask for.
/// @return null for CommHook::kNone
[[nodiscard]] std::unique_ptr<c10d::CommHookInterface> make_comm_hook(
    const GroupPtr& group,
    const DistributedDataParallelOptions& options);

} // namespace accelerate::comm
