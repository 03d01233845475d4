// accelerate/comm/gradient_reducer.cpp
#include "accelerate/comm/gradient_reducer.h"

#include "accelerate/comm/bucket_reducer_impl.h"
#include "accelerate/comm/comm_failure.h"
#include "accelerate/comm/model_sync_impl.h"
#include "accelerate/error.h"

#include <ATen/core/grad_mode.h>

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
}

struct GradientReducer::Impl {
  ProcessGroup group;
  DistributedDataParallelOptions options;
  std::vector<NamedTensor> parameters; // trainable, each once
  std::vector<NamedTensor> buffers;
  std::shared_ptr<comm::BucketReducer> reducer; // null when inactive
  std::shared_ptr<int> no_sync_depth = std::make_shared<int>(0);
  /// The last forward in training was outside no_sync.
  bool last_forward_synced = false;
  /// A forward in training may have changed buffers since the last broadcast.
  bool buffers_may_differ = false;
  /// The hook that ends the first static backward is on its loss.
  bool ends_static_backward = false;
  /// before_forward() was called, or its absence was reported.
  bool is_in_use = false;

  [[nodiscard]] bool synchronizes() const {
    return *no_sync_depth == 0;
  }

  void check_finished() {
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

  void broadcast_buffers() {
    if (options.broadcast_buffers && !buffers.empty()) {
      comm::broadcast_values(group, "comm.broadcast_buffers", buffers);
    }
  }

  void rebuild_buckets() {
    with_comm_errors(
        group, "comm.rebuild_buckets", [&] { reducer->rebuild_buckets(); });
  }

  /// Nobody ever ran the model through its handle, yet the loss is its work:
  /// its gradients would stay on this rank. After one forward a loss on the
  /// parameters alone (a penalty on weights) is taken for what it is.
  void check_in_use(const at::Tensor& loss) {
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

  void rearm(const at::Tensor& loss) {
    ACCELERATE_CHECK(
        !options.static_graph,
        ConfigError,
        "comm.before_backward",
        "second backward since the last forward of the model; static_graph "
        "takes one backward for each forward: add the losses, or turn it off");
    rebuild_buckets();
    reducer->arm({loss});
  }
};

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
    impl_->reducer =
        comm::BucketReducer::create(impl_->group, impl_->parameters, options);
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
    impl_->reducer->arm(outputs);
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
