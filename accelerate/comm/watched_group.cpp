// accelerate/comm/watched_group.cpp
#include "accelerate/comm/watched_group_impl.h"

#include <utility>

namespace accelerate::comm {

WatchedGroup::WatchedGroup(
    c10::intrusive_ptr<c10d::ProcessGroup> group,
    std::shared_ptr<Watch> watch,
    OperationNames names,
    BeforeExchange before)
    : c10d::ProcessGroup(group->getRank(), group->getSize()),
      group_(std::move(group)),
      watch_(std::move(watch)),
      names_(std::move(names)),
      before_(std::move(before)) {
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
  look_at(names_.all_reduce, tensors);
  return follow(
      names_.all_reduce, tensors, group_->allreduce(tensors, options));
}

c10::intrusive_ptr<c10d::Work> WatchedGroup::broadcast(
    std::vector<at::Tensor>& tensors,
    const c10d::BroadcastOptions& options) {
  look_at(names_.broadcast, tensors);
  return follow(names_.broadcast, tensors, group_->broadcast(tensors, options));
}

const std::string WatchedGroup::getBackendName() const {
  return group_->getBackendName();
}

void WatchedGroup::look_at(
    const std::string& name,
    const std::vector<at::Tensor>& tensors) const {
  if (before_) {
    before_(name, tensors);
  }
}

c10::intrusive_ptr<c10d::Work> WatchedGroup::follow(
    const std::string& name,
    const std::vector<at::Tensor>& tensors,
    c10::intrusive_ptr<c10d::Work> work) const {
  // Waiting for a device's collective only orders streams; its backend has a
  // watchdog of its own.
  return watch_ && tensors.at(0).device().is_cpu() ? watch_->follow(name, work)
                                                   : work;
}

} // namespace accelerate::comm
