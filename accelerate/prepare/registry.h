// accelerate/prepare/registry.h: everything one Accelerator has prepared, and
// the checks between models, optimisers, schedules and loaders.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <c10/core/Device.h>

#include "accelerate/api.h"
#include "accelerate/comm/gradient_reducer.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/data/loader.h"
#include "accelerate/optim/gated_optimizer.h"
#include "accelerate/optim/scheduler.h"
#include "accelerate/prepare/model_core.h"
#include "accelerate/state/gradient_state.h"

namespace accelerate {

/// How the loaders of a job are shared between ranks.
struct DataLoaderConfiguration {
  /// Each batch of the user's size is cut into one piece per rank, instead of
  /// every rank taking batches of that size.
  bool split_batches = false;
  /// Ranks get equally many full batches; missing samples are taken from the
  /// start again.
  bool even_batches = true;
  /// Rank 0 reads and sends every rank its batches. Unset: for streams whose
  /// batches move to the device.
  std::optional<bool> dispatch_batches = std::nullopt;
  /// Of the shuffle of every loader. Unset: rank 0's seed of the loader. The
  /// order depends on the seed and the epoch alone, with and without it.
  std::optional<std::uint64_t> data_seed = std::nullopt;
  /// Copies to a GPU do not wait; of use with DataLoaderOptions::pin_memory.
  bool non_blocking = false;
  /// Generators that take rank 0's state at the start of every pass.
  std::vector<RngType> rng_types = {};
};

} // namespace accelerate

namespace accelerate::prepare {

struct RegistryOptions {
  c10::Device device = c10::kCPU;
  DataLoaderConfiguration loaders = {};
  DistributedDataParallelOptions ddp;
  Precision mixed_precision = Precision::kNo;
  AutocastOptions autocast;
  /// Told which loader is being iterated; tells optimisers and schedules when
  /// gradients accumulate. Never null.
  std::shared_ptr<GradientState> gradient_state =
      std::make_shared<GradientState>();
  /// Asked before each step of an optimiser. Never null.
  std::shared_ptr<StepGuards> guards = std::make_shared<StepGuards>();
};

/// Adopts the user's objects. Preparing the same object again gives what was
/// prepared before.
class ACCELERATE_API Registry {
 public:
  Registry(ProcessGroup group, RegistryOptions options);

  enum class Placement { kMove, kKeep }; ///< to the device, or where it is

  /// Collective in a world larger than one.
  std::shared_ptr<ModelCore> adopt_model(
      ModelTensors tensors,
      Placement placement);

  /// @return the optimiser, which waits while gradients accumulate and leaves
  ///   out the steps that a guard forbids
  /// @throws ConfigError when a parameter belongs to no adopted model, or when
  ///   the optimiser has already stepped.
  std::shared_ptr<GatedOptimizer> adopt_optimizer(
      std::shared_ptr<Optimizer> optimizer);

  /// Binds an unbound schedule to the one optimiser beside it. Bound or not,
  /// it waits from now on while gradients accumulate and after skipped steps.
  /// @throws ConfigError when the schedule is unbound and there is not exactly
  ///   one.
  void adopt_scheduler(
      Scheduler& scheduler,
      std::span<const std::shared_ptr<Optimizer>> optimizers_beside);

  /// This rank's share of the loader. All ranks shuffle with rank 0's seed.
  /// Collective in a world larger than one.
  DataLoader adopt_loader(const DataLoader& loader, Placement placement);

  [[nodiscard]] std::span<const std::shared_ptr<ModelCore>> models() const {
    return models_;
  }
  [[nodiscard]] std::span<const std::shared_ptr<GatedOptimizer>> optimizers()
      const {
    return optimizers_;
  }

  /// Shares of loaders, in the order of their adoption.
  [[nodiscard]] std::span<const DataLoader> loaders() const {
    return loaders_;
  }

  /// Forgets everything; handles stay valid.
  void clear();

 private:
  ProcessGroup group_;
  RegistryOptions options_;
  std::vector<std::shared_ptr<ModelCore>> models_;
  std::vector<std::shared_ptr<GatedOptimizer>> optimizers_;
  std::vector<DataLoader> loaders_;
};

} // namespace accelerate::prepare
