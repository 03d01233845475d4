// accelerate/comm/watched_group.cpp
#include "accelerate/comm/watched_group_impl.h"

#include <utility>

namespace accelerate::comm {

WatchedGroup::WatchedGroup(
    c10::intrusive_ptr<c10d::ProcessGroup> group,
    std::shared_ptr<Watch> watch,
    OperationNames names)
    : c10d::ProcessGroup(group->getRank(), group->getSize()),
      group_(std::move(group)),
      watch_(std::move(watch)),
      names_(std::move(names)) {
  setBoundDeviceId(group_->getBoundDeviceId()); // before the backends get it
  for (const c10::Device device : group_->getDeviceTypes()) {
    const auto backend = group_->getBackend(device.type());
    setBackend(
        device.type(), strToBackendType(backend->getBackendName()), backend);
  }
  setDefaultBackend(group_->getBackendType());
}

c10::intrusive_ptr<c10d::Work> WatchedGroup::allreduce(
    std::vector<at::Tensor>& tensors,
    const c10d::AllreduceOptions& options) {
  return follow(
      names_.all_reduce, tensors, group_->allreduce(tensors, options));
}

c10::intrusive_ptr<c10d::Work> WatchedGroup::broadcast(
    std::vector<at::Tensor>& tensors,
    const c10d::BroadcastOptions& options) {
  return follow(names_.broadcast, tensors, group_->broadcast(tensors, options));
}

const std::string WatchedGroup::getBackendName() const {
  return group_->getBackendName();
}

c10::intrusive_ptr<c10d::Work> WatchedGroup::follow(
    const std::string& name,
    const std::vector<at::Tensor>& tensors,
    c10::intrusive_ptr<c10d::Work> work) const {
  // Waiting for a device's collective only orders streams; its backend has a
  // watchdog of its own.
  return tensors.at(0).device().is_cpu() ? watch_->follow(name, work) : work;
}

} // namespace accelerate::comm
