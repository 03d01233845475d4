// accelerate/comm/gradient_reducer.cpp
#include "accelerate/comm/gradient_reducer.h"

#include "accelerate/comm/comm_failure.h"
#include "accelerate/comm/gradient_reducer_impl.h"
#include "accelerate/comm/model_sync_impl.h"
#include "accelerate/comm/process_group_impl.h"
#include "accelerate/error.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <torch/csrc/distributed/c10d/comm.hpp>

#include <unordered_set>

namespace accelerate {
namespace {

/// Each tensor once, under its first name.
std::vector<NamedTensor> unique(const std::vector<NamedTensor>& tensors) {
  std::unordered_set<const at::TensorImpl*> seen;
  std::vector<NamedTensor> result;
  for (const NamedTensor& entry : tensors) {
    if (entry.tensor.defined() &&
        seen.insert(entry.tensor.unsafeGetTensorImpl()).second) {
      result.push_back(entry);
    }
  }
  return result;
}

std::vector<NamedTensor> trainable(const std::vector<NamedTensor>& parameters) {
  std::vector<NamedTensor> result;
  for (const NamedTensor& parameter : parameters) {
    if (parameter.tensor.requires_grad()) {
      result.push_back(parameter);
    }
  }
  return result;
}

} // namespace

void DistributedDataParallelOptions::validate() const {
  ACCELERATE_CHECK(
      bucket_cap_mb > 0,
      ConfigError,
      "comm.gradient_reducer",
      "bucket_cap_mb is ",
      bucket_cap_mb,
      ", expected more than 0");
  const bool is_power_sgd = comm_hook == CommHook::kPowerSgd ||
      comm_hook == CommHook::kBatchedPowerSgd;
  ACCELERATE_CHECK(
      comm_wrapper == CommHook::kNone ||
          (is_power_sgd &&
           (comm_wrapper == CommHook::kFp16 ||
            comm_wrapper == CommHook::kBf16)),
      ConfigError,
      "comm.gradient_reducer",
      "comm_wrapper is '",
      to_string(comm_wrapper),
      "' around comm_hook '",
      to_string(comm_hook),
      "', expected 'fp16' or 'bf16' around 'power_sgd' or "
      "'batched_power_sgd'");
  if (is_power_sgd) {
    power_sgd.validate();
  }
}

void GradientReducer::Impl::check_finished() {
  const auto missing = reducer->missing_gradients();
  if (missing.empty()) {
    return;
  }
  std::string names;
  for (const std::size_t index : missing) {
    names += concat(names.empty() ? "'" : ", '", parameters[index].name, "'");
  }
  throw ConfigError(error_message(
      "comm.before_forward",
      concat(
          missing.size(),
          " of ",
          parameters.size(),
          " parameters got no gradient in the last backward: ",
          names,
          "; set find_unused_parameters, or freeze them before prepare")));
}

void GradientReducer::Impl::broadcast_buffers() {
  if (sends_buffers()) {
    link->announce(comm::JoinStep::kBuffers);
    comm::broadcast_values(group, "comm.broadcast_buffers", buffers);
  }
}

void GradientReducer::Impl::rebuild_buckets() {
  if (reducer->orders_buckets_next()) {
    link->announce(comm::JoinStep::kBucketOrder);
  }
  with_comm_errors(
      group, "comm.rebuild_buckets", [&] { reducer->rebuild_buckets(); });
}

void GradientReducer::Impl::arm(const std::vector<at::Tensor>& outputs) {
  reducer->arm(outputs);
  was_armed = true;
}

void GradientReducer::Impl::check_in_use(const at::Tensor& loss) {
  if (is_in_use || !synchronizes() || !reducer->reaches(loss)) {
    return;
  }
  is_in_use = true;
  throw ConfigError(error_message(
      "comm.before_backward",
      concat(
          "the loss comes from a prepared model (parameter '",
          parameters[0].name,
          "' and others) that was called directly and not through what "
          "prepare() returned, so its gradients would not be exchanged; call "
          "the returned one")));
}

void GradientReducer::Impl::rearm(const at::Tensor& loss) {
  ACCELERATE_CHECK(
      !options.static_graph,
      ConfigError,
      "comm.before_backward",
      "second backward since the last forward of the model; static_graph "
      "takes one backward for each forward: add the losses, or turn it off");
  rebuild_buckets();
  arm({loss});
}

void GradientReducer::Impl::shadow(const comm::Announcement& step) {
  link->is_shadow = true;
  switch (step.step) {
    case comm::JoinStep::kBucketOrder:
      rebuild_buckets();
      break;
    case comm::JoinStep::kBuffers:
      broadcast_buffers();
      break;
    case comm::JoinStep::kBucket:
      with_comm_errors(group, "step.backward", [&] {
        reducer->shadow_bucket(static_cast<std::size_t>(step.index));
      });
      break;
    case comm::JoinStep::kUsedParameters:
      with_comm_errors(
          group, "step.backward", [&] { reducer->shadow_used_parameters(); });
      break;
    case comm::JoinStep::kCount:
      (void)sum_count(0);
      break;
  }
  link->is_shadow = false;
}

double GradientReducer::Impl::sum_count(double count) const {
  double total = count;
  constexpr std::string_view kWhere = "step.num_items";
  comm::run_transfer(group, kWhere, [&](comm::Transport& transport) {
    const at::Tensor sum = at::full(
        {1}, count, at::dtype(at::kDouble).device(transport.control_device()));
    transport.all_reduce(sum, Reduction::kSum);
    total = sum.item<double>();
  });
  return total;
}

GradientReducer::GradientReducer(
    ProcessGroup group,
    std::vector<NamedTensor> parameters,
    std::vector<NamedTensor> buffers,
    const DistributedDataParallelOptions& options)
    : impl_(std::make_unique<Impl>()) {
  options.validate();
  impl_->group = std::move(group);
  impl_->options = options;
  if (impl_->group.world_size() == 1) {
    return;
  }
  parameters = unique(parameters);
  impl_->buffers = unique(buffers);
  if (options.init_sync) {
    comm::check_same_model(impl_->group, {parameters, impl_->buffers});
    constexpr std::string_view kWhere = "comm.broadcast_model";
    comm::broadcast_values(impl_->group, kWhere, parameters);
    comm::broadcast_values(impl_->group, kWhere, impl_->buffers);
  }
  impl_->parameters = trainable(parameters);
  if (!impl_->parameters.empty()) {
    impl_->reducer = comm::BucketReducer::create(
        impl_->group, impl_->parameters, options, impl_->link);
  }
}

GradientReducer::~GradientReducer() = default;
GradientReducer::GradientReducer(GradientReducer&&) noexcept = default;
GradientReducer& GradientReducer::operator=(GradientReducer&&) noexcept =
    default;

void GradientReducer::before_forward() {
  impl_->is_in_use = true;
  if (impl_->group.world_size() == 1 || !impl_->synchronizes()) {
    return;
  }
  if (!at::GradMode::is_enabled()) {
    // Once after training is enough: ranks may evaluate unequal numbers of
    // batches.
    if (impl_->buffers_may_differ) {
      impl_->broadcast_buffers();
      impl_->buffers_may_differ = false;
    }
    return;
  }
  if (impl_->reducer) {
    impl_->check_finished();
    // While armed, this is one more forward of the same iteration.
    if (!impl_->reducer->is_armed()) {
      impl_->rebuild_buckets();
      impl_->reducer->begin_iteration();
    }
  }
  impl_->broadcast_buffers();
}

void GradientReducer::after_forward(const std::vector<at::Tensor>& outputs) {
  if (impl_->group.world_size() == 1 || !at::GradMode::is_enabled()) {
    return;
  }
  impl_->buffers_may_differ = true;
  impl_->last_forward_synced = impl_->synchronizes();
  if (impl_->reducer && impl_->synchronizes()) {
    impl_->arm(outputs);
    impl_->ends_static_backward = false;
  }
}

void GradientReducer::before_backward(const at::Tensor& loss) {
  if (!impl_->reducer) {
    return;
  }
  comm::BucketReducer& reducer = *impl_->reducer;
  if (!reducer.is_armed()) {
    impl_->check_in_use(loss);
    if (impl_->last_forward_synced && impl_->synchronizes() &&
        reducer.reaches(loss)) {
      impl_->rearm(loss);
    }
    return;
  }
  const auto& options = impl_->options;
  if (options.static_graph) {
    if (reducer.is_first_iteration() && !impl_->ends_static_backward &&
        reducer.reaches(loss)) {
      reducer.reduce_after(loss);
      impl_->ends_static_backward = true;
    }
  } else if (options.find_unused_parameters) {
    // The loss knows better than the outputs which parameters take part.
    impl_->check_finished();
    reducer.arm({loss});
  }
}

void GradientReducer::arm_next_backward() {
  if (!impl_->reducer || impl_->reducer->is_armed()) {
    return;
  }
  ACCELERATE_CHECK(
      !impl_->options.static_graph,
      ConfigError,
      "comm.arm_next_backward",
      "static_graph takes one backward for each forward, and this would reduce "
      "several at once; turn it off");
  impl_->check_finished();
  impl_->rebuild_buckets();
  impl_->reducer->begin_iteration();
  impl_->arm({});
}

void GradientReducer::register_comm_hook(
    std::unique_ptr<c10d::CommHookInterface> hook) {
  constexpr const char* kWhere = "comm.register_comm_hook";
  ACCELERATE_CHECK(hook, ConfigError, kWhere, "the hook is null");
  if (!impl_->reducer) {
    return;
  }
  ACCELERATE_CHECK(
      !impl_->link->has_hook,
      ConfigError,
      kWhere,
      "the model has a hook already, from the options or an earlier call; it "
      "takes one");
  ACCELERATE_CHECK(
      !impl_->was_armed,
      ConfigError,
      kWhere,
      "the model was trained already; register the hook before its first "
      "forward");
  impl_->reducer->register_hook(std::move(hook));
}

double GradientReducer::sum_over_ranks(double count) {
  if (impl_->group.world_size() == 1) {
    return count;
  }
  impl_->link->announce(comm::JoinStep::kCount);
  return impl_->sum_count(count);
}

bool GradientReducer::is_local() const {
  return !impl_->synchronizes();
}

GradientReducer::NoSync::NoSync(std::shared_ptr<int> depth)
    : depth_(std::move(depth)) {
  ++*depth_;
}

GradientReducer::NoSync& GradientReducer::NoSync::operator=(
    NoSync&& other) noexcept {
  std::swap(depth_, other.depth_);
  return *this;
}

GradientReducer::NoSync::~NoSync() {
  if (depth_) {
    --*depth_;
  }
}

GradientReducer::NoSync GradientReducer::no_sync() {
  return NoSync(impl_->no_sync_depth);
}

bool GradientReducer::is_armed() const {
  return impl_->reducer && impl_->reducer->is_armed();
}

bool GradientReducer::is_active() const {
  return impl_->reducer != nullptr;
}

} // namespace accelerate
