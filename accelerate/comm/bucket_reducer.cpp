// accelerate/comm/bucket_reducer.cpp
#include "accelerate/comm/bucket_reducer_impl.h"

#include "accelerate/comm/comm_hook_impl.h"
#include "accelerate/comm/exchange_check_impl.h"
#include "accelerate/comm/process_group_impl.h"
#include "accelerate/comm/row_hook_impl.h"
#include "accelerate/error.h"

#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/distributed/c10d/logger.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include <algorithm>
#include <limits>
#include <sstream>
#include <type_traits>
#include <unordered_set>

namespace accelerate::comm {
namespace {

using Buckets = std::vector<std::vector<std::size_t>>;

/// DDP's size of the first bucket: small, so that communication starts early.
constexpr std::int64_t kFirstBucketBytes = 1024 * 1024;
/// What the transport calls an all-reduce of a reducer.
constexpr std::string_view kReduceOperation = "step.backward";

/// Opens what the base class keeps to itself and its Python wrapper knows by
/// other means.
class OpenReducer : public c10d::Reducer {
 public:
  using c10d::Reducer::Reducer;

  bool is_armed() const {
    const std::scoped_lock lock(mutex_);
    return expect_autograd_hooks_;
  }

  bool is_first_iteration() const {
    const std::scoped_lock lock(mutex_);
    return num_iterations_ <= 1;
  }

  /// Empty when the last reduction is complete, else the base class's words.
  std::string unfinished() {
    const std::scoped_lock lock(mutex_);
    try {
      ensure_prior_reduction_finished();
    } catch (const c10::Error& error) {
      return error.what_without_backtrace();
    }
    return "";
  }

  /// The gradients in `flat`, a bucket or a part of one, in their order; empty
  /// when it is something else. Called inside a reduction, which holds the
  /// lock.
  std::vector<BucketPart> parts_of(
      const at::Tensor& flat,
      const std::vector<NamedTensor>& parameters) const {
    std::vector<BucketPart> parts;
    for (const Bucket& bucket : buckets_) {
      if (!bucket.gradients.defined() || flat.dim() != 1 ||
          !bucket.gradients.is_alias_of(flat)) {
        continue;
      }
      const std::int64_t begin =
          flat.storage_offset() - bucket.gradients.storage_offset();
      for (std::size_t i = 0; i < bucket.variable_indices.size(); ++i) {
        const BucketPart part{
            .parameter = parameters[bucket.variable_indices[i]],
            .offset = static_cast<std::int64_t>(bucket.offsets[i]) - begin,
            .length = static_cast<std::int64_t>(bucket.lengths[i])};
        if (part.offset >= 0 && part.offset + part.length <= flat.numel()) {
          parts.push_back(part);
        }
      }
    }
    return parts;
  }

  c10d::ProcessGroup& group() {
    return *process_group_;
  }

  /// Buckets are ordered once, after the first reduction.
  bool orders_buckets_next() const {
    const std::scoped_lock lock(mutex_);
    return should_rebuild_buckets() && !rebuilt_params_.empty();
  }

  /// The node of each parameter at which its gradients arrive.
  std::unordered_set<torch::autograd::Node*> accumulators() const {
    std::unordered_set<torch::autograd::Node*> nodes;
    for (const auto& node : grad_accumulators_) {
      nodes.insert(node.get());
    }
    return nodes;
  }
};

/// Constructs the reducer whatever the number of arguments in this version of
/// libtorch: 13 in 2.13, 12 and 11 in the versions before, 9 long ago.
template <typename R, typename... First9>
std::shared_ptr<R> construct(First9&&... first9) {
  using Caps = std::vector<std::int64_t>;
  if constexpr (std::is_constructible_v<R, First9..., bool, bool, Caps, bool>) {
    return std::make_shared<R>(
        std::forward<First9>(first9)...,
        /*skip_all_reduce_unused_params=*/false,
        /*use_python_reducer=*/false,
        /*bucket_bytes_cap_list=*/Caps{},
        /*batched_grad_copy=*/false);
  } else if constexpr (std::
                           is_constructible_v<R, First9..., bool, bool, Caps>) {
    return std::make_shared<R>(
        std::forward<First9>(first9)..., false, false, Caps{});
  } else if constexpr (std::is_constructible_v<R, First9..., bool, bool>) {
    return std::make_shared<R>(std::forward<First9>(first9)..., false, false);
  } else {
    return std::make_shared<R>(std::forward<First9>(first9)...);
  }
}

std::vector<at::Tensor> tensors_of(const std::vector<NamedTensor>& parameters) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(parameters.size());
  for (const NamedTensor& parameter : parameters) {
    tensors.push_back(parameter.tensor);
  }
  return tensors;
}

std::int64_t bucket_bytes(const DistributedDataParallelOptions& options) {
  return static_cast<std::int64_t>(options.bucket_cap_mb * 1024 * 1024);
}

/// The first assignment, as DDP makes it: one bucket when the buckets will be
/// rebuilt anyway after the first backward. Gradients come last layer first.
Buckets first_buckets(
    const std::vector<at::Tensor>& tensors,
    const DistributedDataParallelOptions& options) {
  std::vector<std::size_t> limits;
  if (options.static_graph || !options.find_unused_parameters) {
    limits = {std::numeric_limits<int>::max()};
  } else {
    limits = {
        static_cast<std::size_t>(kFirstBucketBytes),
        static_cast<std::size_t>(bucket_bytes(options))};
  }
  Buckets buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(
      tensors, limits, std::vector<bool>(tensors.size(), false)));
  std::reverse(buckets.begin(), buckets.end());
  return buckets;
}

/// Shows exchanges to the check. Ranks of a join do not run the same code, and
/// compare by their announcements.
BeforeExchange look_at_exchanges(
    std::shared_ptr<ExchangeCheck> check,
    std::shared_ptr<JoinLink> link) {
  return
      [check = std::move(check), link = std::move(link)](
          std::string_view operation, const std::vector<at::Tensor>& tensors) {
        if (link->session == nullptr) {
          (*check)(operation, tensors);
        } else if (!link->is_shadow) {
          check->show(tensors);
        }
      };
}

/// The same for the reducer itself, which also tells the other ranks of a join
/// about each all-reduce: gradients are floating, the map of used parameters is
/// not, and what it broadcasts was announced before.
BeforeExchange announce_exchanges(
    const std::shared_ptr<ExchangeCheck>& check,
    const std::shared_ptr<JoinLink>& link) {
  return
      [look = look_at_exchanges(check, link), link](
          std::string_view operation, const std::vector<at::Tensor>& tensors) {
        if (operation != kReduceOperation) {
          // the order of buckets
        } else if (!tensors.front().is_floating_point()) {
          link->announce(JoinStep::kUsedParameters);
        } else if (!link->has_hook) {
          link->announce(JoinStep::kBucket, link->next_bucket++);
        }
        look(operation, tensors);
      };
}

/// Another hook, whose buckets are announced.
class AnnouncingHook final : public c10d::CommHookInterface {
 public:
  AnnouncingHook(
      std::unique_ptr<c10d::CommHookInterface> inner,
      std::shared_ptr<JoinLink> link)
      : inner_(std::move(inner)), link_(std::move(link)) {}

  FuturePtr runHook(c10d::GradBucket& bucket) override {
    link_->announce(
        JoinStep::kBucket, static_cast<std::int64_t>(bucket.getIndex()));
    return inner_->runHook(bucket);
  }
  at::Tensor parseHookResult(const c10::IValue& result) override {
    return inner_->parseHookResult(result);
  }

 private:
  std::unique_ptr<c10d::CommHookInterface> inner_;
  std::shared_ptr<JoinLink> link_;
};

std::shared_ptr<OpenReducer> make_reducer(
    const std::vector<NamedTensor>& parameters,
    const DistributedDataParallelOptions& options,
    GroupPtr group) {
  std::vector<at::Tensor> tensors = tensors_of(parameters);
  std::unordered_map<std::size_t, std::string> names;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    names[i] = parameters[i].name;
  }
  Buckets buckets = first_buckets(tensors, options);
  std::vector<bool> expect_sparse(tensors.size(), false);
  return construct<OpenReducer>(
      std::move(tensors),
      std::move(buckets),
      std::move(group),
      std::move(expect_sparse),
      bucket_bytes(options),
      options.find_unused_parameters,
      options.gradient_as_bucket_view,
      std::move(names),
      kFirstBucketBytes);
}

class C10dBucketReducer
    : public BucketReducer,
      public std::enable_shared_from_this<C10dBucketReducer> {
 public:
  C10dBucketReducer(
      std::shared_ptr<OpenReducer> reducer,
      std::shared_ptr<ExchangeCheck> check,
      const DistributedDataParallelOptions& options,
      std::shared_ptr<JoinLink> link,
      std::unique_ptr<c10d::CommHookInterface> row_hook)
      : reducer_(std::move(reducer)),
        check_(std::move(check)),
        link_(std::move(link)),
        row_hook_(std::move(row_hook)),
        logger_(std::make_shared<c10d::Logger>(reducer_)),
        searches_outputs_(
            options.find_unused_parameters && !options.static_graph) {
    // The reducer writes to its logger without looking whether it has one.
    reducer_->set_logger(logger_);
    logger_->set_construction_data_and_log(
        /*module_name=*/"model",
        /*device_ids=*/{},
        /*output_device=*/-1,
        options.broadcast_buffers,
        /*has_sync_bn=*/false,
        options.static_graph);
    if (options.static_graph) {
      reducer_->set_static_graph();
      logger_->set_static_graph();
    }
  }

  bool is_armed() const override {
    return reducer_->is_armed();
  }

  std::vector<std::size_t> missing_gradients() override {
    // `…did not receive grad for rank 0: 1 2`, in brackets or not.
    constexpr std::string_view kBefore = "did not receive grad for rank ";
    std::string text = reducer_->unfinished();
    const std::size_t begin = text.find(kBefore);
    if (begin == std::string::npos) {
      return {};
    }
    text = text.substr(text.find(':', begin) + 1);
    text = text.substr(0, text.find_first_not_of(" ,[]0123456789"));
    std::replace_if(
        text.begin(),
        text.end(),
        [](char c) { return c < '0' || c > '9'; },
        ' ');
    std::istringstream stream(text);
    std::vector<std::size_t> indices;
    for (std::size_t index = 0; stream >> index;) {
      indices.push_back(index);
    }
    return indices;
  }

  bool reaches(const at::Tensor& loss) const override {
    const auto accumulators = reducer_->accumulators();
    std::vector<torch::autograd::Node*> stack;
    std::unordered_set<torch::autograd::Node*> seen;
    if (const auto& root = loss.grad_fn()) {
      stack.push_back(root.get());
    }
    while (!stack.empty()) {
      torch::autograd::Node* node = stack.back();
      stack.pop_back();
      if (accumulators.contains(node)) {
        return true;
      }
      for (const auto& edge : node->next_edges()) {
        if (edge.function && seen.insert(edge.function.get()).second) {
          stack.push_back(edge.function.get());
        }
      }
    }
    return false;
  }

  void begin_iteration() override {
    reducer_->prepare_for_forward();
  }

  void rebuild_buckets() override {
    reducer_->rebuild_buckets();
  }

  void arm(const std::vector<at::Tensor>& outputs) override {
    check_->begin_backward();
    link_->next_bucket = 0;
    settle_hook();
    reducer_->prepare_for_backward(
        searches_outputs_ ? outputs : std::vector<at::Tensor>());
  }

  void reduce_after(const at::Tensor& loss) override {
    std::weak_ptr<C10dBucketReducer> weak = weak_from_this();
    loss.register_hook([weak](const at::Tensor&) {
      torch::autograd::Engine::get_default_engine().queue_callback([weak] {
        const auto self = weak.lock();
        if (self && self->is_armed()) {
          self->reducer_->delay_all_reduce();
        }
      });
    });
  }

  bool is_first_iteration() const override {
    return reducer_->is_first_iteration();
  }

  bool orders_buckets_next() const override {
    return reducer_->orders_buckets_next();
  }

  void register_hook(std::unique_ptr<c10d::CommHookInterface> hook) override {
    link_->has_hook = true;
    reducer_->register_comm_hook(
        std::make_unique<AnnouncingHook>(std::move(hook), link_));
  }

  void shadow_bucket(std::size_t index) override {
    settle_hook();
    auto buckets = reducer_->get_grad_buckets(/*return_zero_tensors=*/true);
    ACCELERATE_CHECK_INTERNAL(
        index < buckets.size(),
        "comm.join_uneven_inputs",
        "no bucket ",
        index,
        " of ",
        buckets.size());
    reducer_->run_comm_hook(buckets[index])->waitAndThrow();
    if (index + 1 == buckets.size()) {
      // As after a backward of our own, the order of buckets is due.
      reducer_->push_rebuilt_params_for_all_indices();
    }
  }

  void shadow_used_parameters() override {
    std::vector<at::Tensor> used{
        at::zeros_like(reducer_->get_local_used_map_on_device())};
    reducer_->group().allreduce(used)->wait();
  }

 private:
  /// There can be one hook; that of the user comes before ours.
  void settle_hook() {
    if (row_hook_ != nullptr && !link_->has_hook) {
      register_hook(std::move(row_hook_));
    }
  }

  std::shared_ptr<OpenReducer> reducer_;
  std::shared_ptr<ExchangeCheck> check_;
  std::shared_ptr<JoinLink> link_;
  std::unique_ptr<c10d::CommHookInterface> row_hook_; // null: none, or used
  std::shared_ptr<c10d::Logger> logger_;
  bool searches_outputs_;
};

} // namespace

std::shared_ptr<BucketReducer> BucketReducer::create(
    const ProcessGroup& group,
    const std::vector<NamedTensor>& parameters,
    const DistributedDataParallelOptions& options,
    const std::shared_ptr<JoinLink>& link) {
  auto check = std::make_shared<ExchangeCheck>(
      group,
      concat(
          "model ",
          group.impl().num_reducers++,
          " ('",
          parameters.front().name,
          "' and others)"));
  Transport& transport = *group.impl().transport;
  const GroupPtr group_of_hooks =
      transport.gradient_group(look_at_exchanges(check, link));
  auto reducer = make_reducer(
      parameters,
      options,
      transport.gradient_group(announce_exchanges(check, link)));
  check->set_contents([weak = std::weak_ptr<OpenReducer>(reducer),
                       parameters](const at::Tensor& flat) {
    const auto self = weak.lock();
    return self ? self->parts_of(flat, parameters) : std::vector<BucketPart>();
  });
  auto result = std::make_shared<C10dBucketReducer>(
      std::move(reducer),
      std::move(check),
      options,
      link,
      make_row_hook(group_of_hooks, parameters));
  if (auto hook = make_comm_hook(group_of_hooks, options)) {
    result->register_hook(std::move(hook));
  }
  return result;
}

} // namespace accelerate::comm
