// accelerate/comm/process_group.cpp
#include "accelerate/comm/process_group.h"

#include "accelerate/comm/agreement_impl.h"
#include "accelerate/comm/backend/backend_impl.h"
#include "accelerate/comm/process_group_impl.h"
#include "accelerate/comm/rendezvous.h"
#include "accelerate/error.h"

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>

#include <algorithm>

namespace accelerate {
namespace comm {
namespace {

using GroupPtr = c10::intrusive_ptr<c10d::ProcessGroup>;

/// A broadcast of many tensors goes in pieces of this size: DDP's size for the
/// first broadcast of a model.
constexpr std::size_t kBroadcastBucketBytes = 250 * 1024 * 1024;

class C10dTransport : public Transport {
 public:
  explicit C10dTransport(GroupPtr group) : group_(std::move(group)) {
    // Gloo says that it serves other devices too, whether they exist or not.
    const auto devices = group_->getDeviceTypes();
    const bool serves_cpu =
        std::any_of(devices.begin(), devices.end(), [](c10::Device d) {
          return d.is_cpu();
        });
    if (!serves_cpu && !devices.empty()) {
      control_device_ = devices.front();
    }
  }

  c10::Device control_device() const override {
    return control_device_;
  }

  void all_gather(const at::Tensor& output, const at::Tensor& input) override {
    at::Tensor target = output;
    at::Tensor source = input;
    // The group's own function has another name in each version.
    group_->getBackend(source.device().type())
        ->_allgather_base(target, source)
        ->wait();
  }

  void all_reduce(const at::Tensor& tensor, Reduction reduction) override {
    std::vector<at::Tensor> tensors{tensor};
    c10d::AllreduceOptions options;
    options.reduceOp = reduction == Reduction::kMax ? c10d::ReduceOp::MAX
                                                    : c10d::ReduceOp::SUM;
    group_->allreduce(tensors, options)->wait();
  }

  void broadcast(const at::Tensor& tensor, int from_rank) override {
    std::vector<at::Tensor> tensors{tensor};
    c10d::BroadcastOptions options;
    options.rootRank = from_rank;
    group_->broadcast(tensors, options)->wait();
  }

  void broadcast_coalesced(
      const std::vector<at::Tensor>& tensors,
      int from_rank) override {
    c10d::broadcast_coalesced(
        group_, tensors, kBroadcastBucketBytes, from_rank);
  }

  GroupPtr c10d_group() override {
    return group_;
  }

 private:
  GroupPtr group_;
  c10::Device control_device_ = c10::Device(c10::DeviceType::CPU);
};

BackendRequest backend_request(
    const RankEnvironment& environment,
    const c10::intrusive_ptr<c10d::Store>& store,
    std::chrono::milliseconds timeout,
    const std::string& name) {
  BackendRequest request;
  request.store = c10::make_intrusive<c10d::PrefixStore>(name, store);
  request.global_rank = environment.global_rank;
  request.world_size = environment.world_size;
  request.timeout = timeout;
  return request;
}

/// Same prefixes as torch.distributed, one backend for each device type.
GroupPtr make_group(
    const RankEnvironment& environment,
    const ProcessGroupOptions& options) {
  using Type = c10d::ProcessGroup::BackendType;
  auto store = c10::make_intrusive<c10d::PrefixStore>(
      "default_pg", open_store(environment, options.timeout));
  auto group = c10::make_intrusive<c10d::ProcessGroup>(
      store, environment.global_rank, environment.world_size);
  auto request = backend_request(environment, store, options.timeout, "cpu");
  request.listen_address =
      environment.is_one_machine ? "127.0.0.1" : address_towards(environment);
  group->setBackend(
      c10::DeviceType::CPU, Type::GLOO, make_gloo_backend(request));
  group->setDefaultBackend(Type::GLOO);
  if (options.device_type == c10::DeviceType::CUDA) {
    request = backend_request(environment, store, options.timeout, "cuda");
    group->setBackend(
        c10::DeviceType::CUDA, Type::NCCL, make_nccl_backend(request));
    group->setDefaultBackend(Type::NCCL);
  }
  group->setGroupName("accelerate");
  return group;
}

} // namespace
} // namespace comm

void ProcessGroupOptions::validate() const {
  ACCELERATE_CHECK(
      timeout.count() > 0,
      ConfigError,
      "comm.create",
      "timeout is ",
      timeout.count(),
      " ms, expected more than 0");
  ACCELERATE_CHECK(
      device_type == c10::DeviceType::CPU ||
          device_type == c10::DeviceType::CUDA,
      ConfigError,
      "comm.create",
      "no backend for device type ",
      c10::DeviceTypeName(device_type, /*lower_case=*/true),
      ", expected cpu or cuda");
}

ProcessGroup::ProcessGroup() : impl_(std::make_shared<Impl>()) {}

ProcessGroup::ProcessGroup(std::shared_ptr<Impl> impl)
    : impl_(std::move(impl)) {}

ProcessGroup ProcessGroup::create(
    const RankEnvironment& environment,
    const ProcessGroupOptions& options) {
  options.validate();
  auto impl = std::make_shared<Impl>();
  impl->global_rank = environment.global_rank;
  impl->world_size = environment.world_size;
  impl->timeout = options.timeout;
  const ProcessGroup group(std::move(impl));
  if (environment.world_size == 1) {
    return group;
  }
  comm::GroupPtr c10d_group;
  try {
    c10d_group = comm::make_group(environment, options);
  } catch (const ConfigError&) {
    throw;
  } catch (const CommError&) {
    throw;
  } catch (const std::exception& error) {
    std::throw_with_nested(CommError(error_message(
        "comm.create", comm::describe_failure(error, options.timeout))));
  }
  group.impl().transport =
      std::make_unique<comm::C10dTransport>(std::move(c10d_group));
  // Rank 0 holds the store: nobody leaves before all have found each other.
  comm::agree(group, {.where = "comm.create", .description = ""});
  return group;
}

ProcessGroup ProcessGroup::from_c10d(
    c10::intrusive_ptr<c10d::ProcessGroup> group,
    std::chrono::milliseconds timeout) {
  ACCELERATE_CHECK(
      group, ConfigError, "comm.from_c10d", "got a null process group");
  auto impl = std::make_shared<Impl>();
  impl->global_rank = group->getRank();
  impl->world_size = group->getSize();
  impl->timeout = timeout;
  if (impl->world_size > 1) {
    impl->transport = std::make_unique<comm::C10dTransport>(std::move(group));
  }
  return ProcessGroup(std::move(impl));
}

int ProcessGroup::global_rank() const {
  return impl_->global_rank;
}

int ProcessGroup::world_size() const {
  return impl_->world_size;
}

std::chrono::milliseconds ProcessGroup::timeout() const {
  return impl_->timeout;
}

bool ProcessGroup::is_broken() const {
  return impl_->is_broken();
}

void ProcessGroup::shutdown() {
  impl_->is_shut_down = true;
  impl_->transport.reset();
}

c10::intrusive_ptr<c10d::ProcessGroup> ProcessGroup::c10d_group() const {
  return impl_->transport ? impl_->transport->c10d_group() : comm::GroupPtr();
}

} // namespace accelerate
