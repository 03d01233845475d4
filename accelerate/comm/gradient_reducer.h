// accelerate/comm/gradient_reducer.h: averages the gradients of one model over
// the ranks while backward runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/comm/gradient_compression.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/nested/named_tensor.h"

namespace c10d {
class CommHookInterface;
} // namespace c10d

namespace accelerate {

namespace comm {
struct JoinLink;
} // namespace comm

/// Options of data parallelism, named as in torch's DistributedDataParallel.
struct ACCELERATE_API DistributedDataParallelOptions {
  /// Size of a bucket of gradients in MiB; the first one is at most 1 MiB.
  double bucket_cap_mb = 25;
  /// Looks through the graph of every loss for parameters that get no gradient.
  /// Needed when some parameters take no part in some steps.
  bool find_unused_parameters = false;
  /// The graph is the same in every step: unused parameters are found in the
  /// first one. One backward for each forward.
  bool static_graph = false;
  /// Gradients are views into the buckets: no second copy of the gradients.
  bool gradient_as_bucket_view = true;
  /// Rank 0's buffers are sent to all ranks before a forward in training, and
  /// before the first forward without gradients after it.
  bool broadcast_buffers = true;
  /// Compare the model over the ranks and send rank 0's values to all at start.
  bool init_sync = true;
  /// How gradients are made smaller on their way.
  CommHook comm_hook = CommHook::kNone;
  /// kFp16 or kBf16: what PowerSGD computes with and sends.
  CommHook comm_wrapper = CommHook::kNone;
  /// Of PowerSGD; what torch and the Python door call `comm_state_option`.
  PowerSgdOptions power_sgd = {};

  /// @throws ConfigError for a bucket size that is not positive, a wrapper
  ///   without PowerSGD inside it, or as PowerSgdOptions::validate().
  void validate() const;
};

/// Reduces the gradients of one model. The engine calls it around forward and
/// backward:
///
///     reducer.before_forward();
///     output = model(input);
///     reducer.after_forward(tensors_of(output));
///     reducer.before_backward(loss);
///     loss.backward();              // gradients are averages afterwards
///
/// A forward with gradients on arms the reducer; the backward that follows
/// reduces. before_backward() arms it again when a loss reaches the model after
/// the reduction was already done (two forwards, then two backwards). In a
/// world of one nothing is built and nothing is called.
///
/// Gradients may be views into buckets. Clear them by making them undefined
/// (`grad.reset()`), or in place (`grad.zero_()`); `grad.detach_()` throws on a
/// view, and with it torch::optim::Optimizer::zero_grad.
class ACCELERATE_API GradientReducer {
 public:
  /// Collective. Blocking. Compares parameters and buffers over the ranks, then
  /// sends rank 0's values to all. With init_sync off it does neither and is
  /// not collective.
  /// @param parameters of the model in its order; frozen ones are kept equal at
  ///   start but not reduced; one tensor under two names counts once
  /// @param buffers may be empty
  /// @throws CommError on every rank when models differ; names the first
  ///   difference: parameter, both shapes and both ranks
  GradientReducer(
      ProcessGroup group,
      std::vector<NamedTensor> parameters,
      std::vector<NamedTensor> buffers,
      const DistributedDataParallelOptions& options = {});
  ~GradientReducer();
  GradientReducer(GradientReducer&&) noexcept;
  GradientReducer& operator=(GradientReducer&&) noexcept;

  /// Collective when buffers are broadcast or buckets are rebuilt. Call it
  /// before every forward of the model, also without gradients.
  /// @throws ConfigError when the last backward left parameters without
  ///   gradient; names them
  void before_forward();

  /// Arms the reduction unless gradients are off or no_sync() is active.
  /// @param outputs tensors of the model's output; only looked at with
  ///   find_unused_parameters
  void after_forward(const std::vector<at::Tensor>& outputs);

  /// Call it before the backward of every loss, for every reducer.
  /// @param loss what backward will be called on
  /// @throws ConfigError for a second backward of one static_graph step, and
  ///   once, in a world larger than one, when before_forward() was never called
  ///   and the loss was computed from the parameters: the model was called
  ///   directly
  void before_backward(const at::Tensor& loss);

  /// While it lives, forwards do not arm the reduction: gradients accumulate on
  /// this rank. Guards nest. Forward and backward belong inside.
  class ACCELERATE_API NoSync {
   public:
    NoSync(NoSync&& other) noexcept = default;
    NoSync& operator=(NoSync&& other) noexcept;
    ~NoSync();

   private:
    friend class GradientReducer;
    explicit NoSync(std::shared_ptr<int> depth);
    std::shared_ptr<int> depth_; // null when moved from
  };
  [[nodiscard]] NoSync no_sync();

  /// Arms the reduction although the last forwards were under no_sync(): the
  /// next backward reduces what it adds together with what has accumulated.
  /// Does nothing when armed or inactive. Collective when buckets are rebuilt.
  /// @throws ConfigError with static_graph, whose backwards belong to forwards
  /// Source: accelerate Accelerator.trigger_sync_in_backward
  void arm_next_backward();

  /// Lets `hook` exchange the gradients: it gets every bucket and answers with
  /// what the bucket becomes, the mean over the ranks as a rule. Does nothing
  /// in a world of one, where nothing is exchanged. Not collective, but all
  /// ranks register the same one.
  /// @throws ConfigError for a null hook, when there is one already (also from
  ///   the options), and after the first backward
  /// Source: torch DistributedDataParallel.register_comm_hook
  void register_comm_hook(std::unique_ptr<c10d::CommHookInterface> hook);

  /// Collective: the sum of `count` over the ranks. Ranks whose data has run
  /// out (see JoinedModels) take part with 0.
  [[nodiscard]] double sum_over_ranks(double count);

  /// True while a no_sync() guard lives.
  [[nodiscard]] bool is_local() const;

  /// True when the next backward of a loss over this model reduces.
  [[nodiscard]] bool is_armed() const;
  /// False in a world of one and for a model without trainable parameters.
  [[nodiscard]] bool is_active() const;

 private:
  friend class JoinedModels;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace accelerate
