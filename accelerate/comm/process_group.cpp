// accelerate/comm/process_group.cpp
#include "accelerate/comm/process_group.h"

#include "accelerate/comm/agreement_impl.h"
#include "accelerate/comm/backend/backend_impl.h"
#include "accelerate/comm/process_group_impl.h"
#include "accelerate/comm/rendezvous.h"
#include "accelerate/comm/watch_board_impl.h"
#include "accelerate/comm/watched_group_impl.h"
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

/// The same memory without the tensor itself. Threads of a backend let go of it
/// some time after the transfer; were that the last owner of a tensor that
/// Python has seen, they would wait for Python's lock, which a thread that
/// waits for the backend may hold, or which no one gives any more at the exit.
at::Tensor same_memory(const at::Tensor& tensor) {
  return tensor.detach();
}

class C10dTransport : public Transport {
 public:
  C10dTransport(GroupPtr group, std::shared_ptr<Watch> watch)
      : group_(std::move(group)), watch_(std::move(watch)) {
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

  ~C10dTransport() override {
    if (watch_ && !watch_->verdict().empty()) {
      // Gloo still waits for what was broken off, and its destructor would wait
      // for it as well.
      static auto& kept = *new std::vector<GroupPtr>;
      kept.push_back(group_);
    }
  }

  c10::Device control_device() const override {
    return control_device_;
  }

  void set_operation(std::string_view name) override {
    operation_ = name;
  }

  void all_gather(const at::Tensor& output, const at::Tensor& input) override {
    at::Tensor target = same_memory(output);
    at::Tensor source = same_memory(input);
    // The group's own function has another name in each version.
    wait(
        group_->getBackend(source.device().type())
            ->_allgather_base(target, source),
        source);
  }

  void all_reduce(const at::Tensor& tensor, Reduction reduction) override {
    std::vector<at::Tensor> tensors{same_memory(tensor)};
    c10d::AllreduceOptions options;
    options.reduceOp = reduction == Reduction::kMax ? c10d::ReduceOp::MAX
                                                    : c10d::ReduceOp::SUM;
    wait(group_->allreduce(tensors, options), tensor);
  }

  void broadcast(const at::Tensor& tensor, int from_rank) override {
    std::vector<at::Tensor> tensors{same_memory(tensor)};
    c10d::BroadcastOptions options;
    options.rootRank = from_rank;
    wait(group_->broadcast(tensors, options), tensor);
  }

  void broadcast_coalesced(
      const std::vector<at::Tensor>& tensors,
      int from_rank) override {
    c10d::broadcast_coalesced(
        watched({.all_reduce = operation_, .broadcast = operation_}, {}),
        tensors,
        kBroadcastBucketBytes,
        from_rank);
  }

  GroupPtr c10d_group() override {
    return group_;
  }

  GroupPtr gradient_group(BeforeExchange before) override {
    return watched(
        {.all_reduce = "step.backward", .broadcast = "comm.rebuild_buckets"},
        std::move(before));
  }

 private:
  GroupPtr watched(OperationNames names, BeforeExchange before) const {
    if (!watch_ && !before) {
      return group_;
    }
    return c10::make_intrusive<WatchedGroup>(
        group_, watch_, std::move(names), std::move(before));
  }

  void wait(c10::intrusive_ptr<c10d::Work> work, const at::Tensor& tensor) {
    if (watch_ && tensor.device().is_cpu()) {
      work = watch_->follow(operation_, work);
    }
    work->wait();
  }

  GroupPtr group_;
  std::shared_ptr<Watch> watch_; // may be null
  std::string operation_;
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
      watch_after.count() >= 0 && watch_interval.count() > 0,
      ConfigError,
      "comm.create",
      "watch_after is ",
      watch_after.count(),
      " ms and watch_interval ",
      watch_interval.count(),
      " ms, expected at least 0 and more than 0");
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
  group.impl().watch = comm::Watch::of(c10d_group, options);
  group.impl().transport = std::make_unique<comm::C10dTransport>(
      std::move(c10d_group), group.impl().watch);
  // Rank 0 holds the store: nobody leaves before all have found each other.
  comm::agree(group, {.where = "comm.create", .description = ""});
  return group;
}

ProcessGroup ProcessGroup::from_c10d(
    c10::intrusive_ptr<c10d::ProcessGroup> group,
    const ProcessGroupOptions& options) {
  ACCELERATE_CHECK(
      group, ConfigError, "comm.from_c10d", "got a null process group");
  options.validate();
  auto impl = std::make_shared<Impl>();
  impl->global_rank = group->getRank();
  impl->world_size = group->getSize();
  impl->timeout = options.timeout;
  impl->is_shared = true;
  if (impl->world_size > 1) {
    impl->watch = comm::Watch::of(group, options);
    impl->transport =
        std::make_unique<comm::C10dTransport>(std::move(group), impl->watch);
  }
  return ProcessGroup(std::move(impl));
}

ProcessGroup ProcessGroup::from_c10d(
    c10::intrusive_ptr<c10d::ProcessGroup> group,
    std::chrono::milliseconds timeout) {
  return from_c10d(std::move(group), ProcessGroupOptions{.timeout = timeout});
}

ProcessGroup::Impl::~Impl() {
  depart(/*is_in_order=*/false);
}

void ProcessGroup::Impl::depart(bool is_in_order) {
  if (watch && !is_broken()) {
    watch->note_departure(
        {.is_in_order = is_in_order, .closes_links = !is_shared});
  }
  transport.reset();
  watch.reset();
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
  impl_->depart(/*is_in_order=*/true);
}

c10::intrusive_ptr<c10d::ProcessGroup> ProcessGroup::c10d_group() const {
  return impl_->transport ? impl_->transport->c10d_group() : comm::GroupPtr();
}

} // namespace accelerate
