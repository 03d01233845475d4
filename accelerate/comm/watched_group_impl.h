// accelerate/comm/watched_group_impl.h: a c10d group whose collectives a Watch
// follows, for code of c10d that takes a group (its Reducer).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "accelerate/comm/process_group_impl.h"

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

namespace accelerate::comm {

struct OperationNames {
  std::string all_reduce;
  std::string broadcast;
};

/// Another group's backends, with all-reduce and broadcast looked at before
/// they begin, and followed.
class WatchedGroup : public c10d::ProcessGroup {
 public:
  /// @param watch may be null
  /// @param before may be empty
  WatchedGroup(
      c10::intrusive_ptr<c10d::ProcessGroup> group,
      std::shared_ptr<Watch> watch,
      OperationNames names,
      BeforeExchange before);

  c10::intrusive_ptr<c10d::Work> allreduce(
      std::vector<at::Tensor>& tensors,
      const c10d::AllreduceOptions& options) override;
  c10::intrusive_ptr<c10d::Work> broadcast(
      std::vector<at::Tensor>& tensors,
      const c10d::BroadcastOptions& options) override;
  const std::string getBackendName() const override;

 private:
  void look_at(const std::string& name, const std::vector<at::Tensor>& tensors)
      const;
  [[nodiscard]] c10::intrusive_ptr<c10d::Work> follow(
      const std::string& name,
      const std::vector<at::Tensor>& tensors,
      c10::intrusive_ptr<c10d::Work> work) const;

  c10::intrusive_ptr<c10d::ProcessGroup> group_;
  std::shared_ptr<Watch> watch_;
  OperationNames names_;
  BeforeExchange before_;
};

} // namespace accelerate::comm
