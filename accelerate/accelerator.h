// accelerate/accelerator.h: the façade: one object around a training loop.
#pragma once

#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/comm/collectives.h"
#include "accelerate/comm/exchange.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/comm/process_order.h"
#include "accelerate/comm/split.h"
#include "accelerate/error.h"
#include "accelerate/precision/autocast.h"
#include "accelerate/precision/grad_scaler.h"
#include "accelerate/precision/precision.h"
#include "accelerate/prepare/prepare.h"
#include "accelerate/progress.h"
#include "accelerate/state/process_state.h"
#include "accelerate/step/accumulate.h"
#include "accelerate/step/backward.h"
#include "accelerate/step/clipping.h"
#include "accelerate/step/executable_batch_size.h"
#include "accelerate/step/gather_for_metrics.h"
#include "accelerate/step/gradient_guard.h"
#include "accelerate/step/local_sgd.h"
#include "accelerate/step/uneven_inputs.h"

namespace accelerate {

struct AcceleratorOptions {
  /// Of forwards. Unset: ACCELERATE_MIXED_PRECISION, else no.
  std::optional<Precision> mixed_precision = std::nullopt;
  /// How forwards and autocast() use kFp16 and kBf16.
  AutocastOptions autocast = {};
  /// How losses are scaled in kFp16.
  GradScalerOptions grad_scaler = {};
  /// Micro-batches whose gradients are added before the optimiser steps, see
  /// accumulate(). Unset: ACCELERATE_GRADIENT_ACCUMULATION_STEPS, else 1.
  std::optional<int> gradient_accumulation_steps = std::nullopt;
  /// When a loader's end cuts an accumulation short, divide by the number of
  /// micro-batches that are in it and not by gradient_accumulation_steps.
  bool exact_last_window = true;
  /// Stay on the CPU although there is a GPU (also ACCELERATE_USE_CPU).
  bool cpu = false;
  /// Default of prepare(): move models and batches to the device.
  bool device_placement = true;
  DataLoaderConfiguration dataloader = {};
  DistributedDataParallelOptions ddp = {};
  /// Longest wait of one collective for the slowest rank.
  std::chrono::milliseconds timeout = std::chrono::minutes(30);
  /// Ranks compare every exchange before it begins, the buckets of gradients
  /// included, see DebugMode. Unset: ACCELERATE_DEBUG_MODE, else off. Of
  /// several Accelerators the last one made decides.
  std::optional<bool> debug = std::nullopt;
  /// What happens when a gradient is infinite or not a number, on all ranks
  /// alike; names the first parameter and the rank. See step::GradientGuard.
  NonFiniteGradients nonfinite_gradients = NonFiniteGradients::kOff;
  /// Before one of so many steps the parameters of all ranks are compared; 0:
  /// never. See step::ParameterCheck.
  int compare_parameters_every = 0;

  /// @throws ConfigError for values out of range or not supported yet.
  ACCELERATE_API void validate() const;
};

/// Finds the job this process belongs to, joins its process group, and
/// surrounds the loop. Several may exist; they share the group.
class ACCELERATE_API Accelerator {
 public:
  /// Collective: in a world larger than one, all ranks make one.
  /// @throws ConfigError for contradicting surroundings or options; CommError
  ///   when the group does not come together in time.
  explicit Accelerator(const AcceleratorOptions& options = {});
  /// Communicates nothing; see end_training().
  ~Accelerator();
  Accelerator(const Accelerator&) = delete;
  Accelerator& operator=(const Accelerator&) = delete;

  // --- who am I

  [[nodiscard]] c10::Device device() const;
  [[nodiscard]] int num_processes() const;
  [[nodiscard]] int process_index() const;
  [[nodiscard]] int local_process_index() const;
  [[nodiscard]] bool is_main_process() const;
  [[nodiscard]] bool is_local_main_process() const;
  [[nodiscard]] bool is_last_process() const;
  [[nodiscard]] Precision mixed_precision() const;
  [[nodiscard]] const ProcessGroup& process_group() const;
  [[nodiscard]] const GradientState& gradient_state() const;
  /// To change how gradients accumulate while training.
  [[nodiscard]] GradientState& gradient_state();
  /// Whether this micro-batch ends with a step of the optimiser; clip then.
  [[nodiscard]] bool sync_gradients() const {
    return gradient_state().sync_gradients();
  }

  // --- prepare

  /// Takes torch::nn modules, optimisers (ours, or torch::optim as an lvalue),
  /// schedules and loaders in any order; returns one handle for each in that
  /// order (for a single object: its handle). Other objects and handles pass
  /// through. An object prepared before gives an equal handle.
  /// Collective: all ranks prepare the same objects in the same order.
  /// @throws ConfigError for an optimiser without its model or that has
  ///   stepped; CommError when models differ between ranks.
  template <typename... T>
  [[nodiscard]] decltype(auto) prepare(T&&... objects) {
    return prepare_with(
        {.device_placement = default_placement()}, std::forward<T>(objects)...);
  }

  /// prepare() with options.
  template <typename... T>
  [[nodiscard]] decltype(auto) prepare_with(
      const PrepareOptions& options,
      T&&... objects) {
    static_assert(sizeof...(T) > 0, "prepare() needs at least one object");
    return prepare::prepare_all(
        registry(), options, std::forward<T>(objects)...);
  }

  /// The user's module behind a handle.
  template <typename Module>
  [[nodiscard]] std::shared_ptr<Module> unwrap_model(
      const PreparedModel<Module>& model) const {
    return model.module();
  }

  /// Forgets all prepared objects, so that their memory is freed once the
  /// user's handles are gone.
  void free_memory();

  // --- step

  /// One micro-batch; forward, backward and the step of the optimiser belong
  /// into the life of the guard:
  ///
  ///     for (const Batch& batch : train) {
  ///       const auto micro_batch = accelerator.accumulate(model);
  ///       accelerator.backward(model(batch).loss);
  ///       optimizer.step();
  ///       scheduler.step();
  ///       optimizer.zero_grad();
  ///     }
  ///
  /// Every gradient_accumulation_steps of them, and with the last batch of a
  /// loader, gradients are exchanged and the optimiser and the schedule step;
  /// in between they do nothing. Not collective by itself.
  template <typename... Modules>
  [[nodiscard]] step::Accumulate accumulate(
      const PreparedModel<Modules>&... models) {
    return step::Accumulate(
        gradient_state(), {models.core()...}, registry().models());
  }

  /// While the guard lives, operations compute in the precision of the job, as
  /// they do in forwards of prepared models: for a loss, say, that is computed
  /// outside of them. Changes nothing in full precision.
  ///
  ///     {
  ///       const auto low_precision = accelerator.autocast();
  ///       loss = at::mse_loss(head(features), labels);
  ///     }
  [[nodiscard]] AutocastGuard autocast() const;
  /// The same with other options: `{.enabled = false}` computes in the dtype of
  /// the inputs.
  [[nodiscard]] AutocastGuard autocast(const AutocastOptions& options) const;

  /// Gradients of a scalar loss, divided by the steps of accumulation, into the
  /// parameters, averaged over ranks (with `.num_items` over the items of all
  /// ranks and micro-batches); in fp16 multiplied with the scale of scaler(),
  /// until they are unscaled.
  /// Collective: when a model in the graph was armed by its forward.
  /// @throws ConfigError for a loss that has no gradient; CommError when the
  ///   exchange fails.
  void backward(const at::Tensor& loss, const BackwardOptions& options = {});

  /// Whether the last step of any prepared optimiser was left out, on all
  /// ranks, because a gradient was not finite.
  [[nodiscard]] bool optimizer_step_was_skipped() const;

  /// From now on `guard` is asked before each step of every prepared optimiser,
  /// after those added before it. Add it on all ranks.
  void add_step_guard(std::shared_ptr<StepGuard> guard);

  /// Scales losses in fp16; null in other precisions.
  [[nodiscard]] GradScaler* scaler();

  /// In fp16 brings the gradients of all prepared optimisers, or of one, to
  /// their true size, so that they can be looked at or changed before the step.
  /// May be called more than once per step; does nothing while gradients
  /// accumulate, and in other precisions. Not collective.
  /// @throws ConfigError as GradScaler::unscale().
  void unscale_gradients();
  template <typename UserOptimizer>
  void unscale_gradients(const PreparedOptimizer<UserOptimizer>& optimizer) {
    unscale({&optimizer.engine()});
  }

  /// Scales the gradients so that their norm is at most `options.max_norm`.
  /// Call it between backward() and the step of the optimiser; in fp16 it
  /// unscales all gradients first.
  /// @return the norm before, see step::clip_grad_norm()
  at::Tensor clip_grad_norm(
      const std::vector<at::Tensor>& parameters,
      const ClipOptions& options = {});
  /// Limits every element of the gradients to [-clip_value, clip_value]; in
  /// fp16 it unscales all gradients first.
  void clip_grad_value(
      const std::vector<at::Tensor>& parameters,
      double clip_value);

  /// While the guard lives, forwards of `model` do not arm the exchange:
  /// gradients stay local and add up. Guards nest.
  template <typename Module>
  [[nodiscard]] GradientReducer::NoSync no_sync(
      const PreparedModel<Module>& model) const {
    return model.core()->reducer().no_sync();
  }

  /// Lets the next backward() exchange the gradients of `model` although its
  /// forwards were under no_sync(), together with what has added up since.
  /// Collective the first time.
  template <typename Module>
  void trigger_sync_in_backward(const PreparedModel<Module>& model) const {
    model.core()->reducer().arm_next_backward();
  }

  /// While the guard lives, ranks may train for unequal numbers of batches:
  ///
  ///     auto join =
  ///         accelerator.join_uneven_inputs({.even_batches = false}, model);
  ///     for (const Batch& batch : train) { … }
  ///     join.finish(); // waits for ranks with more batches
  ///
  /// Needs even_batches off, here or in the options; otherwise ranks have
  /// equally many and nothing is joined. See JoinedModels for what happens.
  template <typename... Modules>
  [[nodiscard]] step::UnevenInputs join_uneven_inputs(
      const JoinOptions& options,
      const PreparedModel<Modules>&... models) {
    return join({models.core()...}, options);
  }

  /// Local SGD around `model`, see LocalSgd.
  template <typename Module>
  [[nodiscard]] LocalSgd local_sgd(
      const PreparedModel<Module>& model,
      const LocalSgdOptions& options) const {
    return LocalSgd(process_group(), model.core(), options);
  }

  // --- collectives; all ranks call them, in the same order

  /// Tensors of all ranks, concatenated on dim 0 in the order of ranks.
  template <TensorVisitable T>
  [[nodiscard]] T gather(const T& value) const {
    return accelerate::gather(process_group(), value);
  }
  /// As gather(), without the samples that even_batches repeated: each sample
  /// of the dataset appears once. Call it once for each batch of a prepared
  /// loader, with tensors whose dim 0 is the sample.
  template <TensorVisitable T>
  [[nodiscard]] T gather_for_metrics(const T& value) const {
    return step::gather_for_metrics(process_group(), gradient_state(), value);
  }
  /// As gather_for_metrics() for objects: one JSON text for each sample of the
  /// batch on this rank, in their order.
  [[nodiscard]] std::vector<std::string> gather_json_for_metrics(
      const std::vector<std::string>& values) const {
    return step::gather_valid_json(process_group(), gradient_state(), values);
  }
  template <TensorVisitable T>
  [[nodiscard]] T reduce(const T& value, Reduction reduction = Reduction::kSum)
      const {
    return accelerate::reduce(process_group(), value, reduction);
  }
  template <TensorVisitable T>
  [[nodiscard]] T broadcast(const T& value, int from_process = 0) const {
    return accelerate::broadcast(process_group(), value, from_process);
  }
  template <TensorVisitable T>
  [[nodiscard]] T pad_across_processes(
      const T& value,
      const PadAcrossOptions& options = {}) const {
    return accelerate::pad_across_processes(process_group(), value, options);
  }
  /// One JSON text from every rank, by rank.
  [[nodiscard]] std::vector<std::string> gather_json(
      const std::string& json) const {
    return accelerate::gather_json(process_group(), json);
  }
  /// Rank `from_process`'s JSON text on every rank.
  [[nodiscard]] std::string broadcast_json(
      const std::string& json,
      int from_process = 0) const {
    return accelerate::broadcast_json(process_group(), json, from_process);
  }
  /// Waits until all ranks are here.
  void wait_for_everyone() const;

  /// The largest batch size for which the memory of every rank suffices; calls
  /// `try_size` with smaller and smaller ones. Collective; see
  /// accelerate::find_executable_batch_size().
  std::int64_t find_executable_batch_size(
      const std::function<void(std::int64_t)>& try_size,
      const BatchSizeOptions& options = {}) const {
    return accelerate::find_executable_batch_size(
        process_group(), options, try_size);
  }

  /// Raises a flag on this rank; see check_trigger(). Not collective.
  void set_trigger();
  /// True on every rank when any rank raised its flag since the last check.
  [[nodiscard]] bool check_trigger();

  // --- who does what

  /// Runs `f` on one rank only and returns its result there, nothing elsewhere.
  template <typename F>
  auto on_main_process(F&& f) const {
    return run_if(is_main_process(), std::forward<F>(f));
  }
  template <typename F>
  auto on_local_main_process(F&& f) const {
    return run_if(is_local_main_process(), std::forward<F>(f));
  }
  template <typename F>
  auto on_last_process(F&& f) const {
    return run_if(is_last_process(), std::forward<F>(f));
  }
  template <typename F>
  auto on_process(int process_index, F&& f) const {
    return run_if(this->process_index() == process_index, std::forward<F>(f));
  }

  /// Rank 0 runs `work` first; the others start when it is done: for files
  /// that one process makes and the rest read. Collective.
  /// @throws CommError on the waiting ranks when `work` threw on rank 0
  void main_process_first(const std::function<void()>& work) const {
    accelerate::main_process_first(process_group(), work);
  }
  /// The same with the first rank of each machine going first.
  void local_main_process_first(const std::function<void()>& work) const {
    run_in_order(
        process_group(),
        is_local_main_process() ? ProcessOrder::kFirst : ProcessOrder::kAfter,
        work);
  }

  /// This rank's contiguous part; the first (size mod ranks) get one more.
  template <typename T>
  [[nodiscard]] T split_between_processes(
      const T& values,
      SplitPadding padding = SplitPadding::kNone) const {
    return accelerate::split_between_processes(
        process_group(), values, padding);
  }

  /// Prints one line to standard output on the local main process.
  template <typename... Parts>
  void print(const Parts&... parts) const {
    if (is_local_main_process()) {
      std::cout << (concat(parts...) + '\n') << std::flush;
    }
  }

  /// A progress bar, drawn on the main process only.
  [[nodiscard]] ProgressBar progress(ProgressOptions options) const;

  /// Waits for everyone and leaves the group in order. Collective. Without it
  /// the group is dropped when the last user of it dies.
  void end_training();

 private:
  template <typename F>
  static auto run_if(bool chosen, F&& f) {
    using Result = std::invoke_result_t<F>;
    if constexpr (std::is_void_v<Result>) {
      if (chosen) {
        std::forward<F>(f)();
      }
    } else {
      return chosen ? std::optional<Result>(std::forward<F>(f)())
                    : std::nullopt;
    }
  }

  /// @return the scale that gradients have after it
  double unscale(const std::vector<const GatedOptimizer*>& optimizers);
  double unscale_all();
  [[nodiscard]] prepare::Registry& registry();
  [[nodiscard]] step::UnevenInputs join(
      std::vector<std::shared_ptr<ModelCore>> models,
      const JoinOptions& options);
  [[nodiscard]] bool default_placement() const;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace accelerate
