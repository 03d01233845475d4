// accelerate/prepare/registry.cpp: adopts objects and explains what does not
// fit together.
#include "accelerate/prepare/registry.h"

#include <algorithm>

#include <ATen/ops/full.h>

#include "accelerate/comm/collectives.h"
#include "accelerate/error.h"

namespace accelerate::prepare {
namespace {

bool belongs_to_any(
    const at::Tensor& parameter,
    std::span<const std::shared_ptr<ModelCore>> models) {
  return std::any_of(models.begin(), models.end(), [&](const auto& model) {
    return model->owns_parameter(parameter);
  });
}

void check_parameters(
    const Optimizer& optimizer,
    std::span<const std::shared_ptr<ModelCore>> models) {
  const std::vector<at::Tensor> parameters = optimizer.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    ACCELERATE_CHECK(
        belongs_to_any(parameters[i], models),
        ConfigError,
        "prepare.optimizer",
        "parameter ",
        i,
        " of the optimiser, of shape ",
        parameters[i].sizes(),
        ", belongs to none of the ",
        models.size(),
        " prepared models, so its gradient would never be exchanged; prepare "
        "the model in the same call or before, and build the optimiser from "
        "that model's parameters()");
  }
}

/// Where the model computes: one that prepare() left in place may be elsewhere.
c10::DeviceType device_type_of(
    const ModelTensors& tensors,
    c10::Device otherwise) {
  return tensors.parameters.empty()
      ? otherwise.type()
      : tensors.parameters.front().tensor.device().type();
}

std::uint64_t seed_of_rank_0(const ProcessGroup& group, std::uint64_t mine) {
  const at::Tensor seed =
      at::full({1}, static_cast<std::int64_t>(mine), at::kLong);
  return static_cast<std::uint64_t>(
      broadcast(group, seed).item<std::int64_t>());
}

} // namespace

Registry::Registry(ProcessGroup group, RegistryOptions options)
    : group_(std::move(group)), options_(std::move(options)) {}

std::shared_ptr<ModelCore> Registry::adopt_model(
    ModelTensors tensors,
    Placement placement) {
  for (const std::shared_ptr<ModelCore>& known : models_) {
    if (known->has_same_tensors(tensors)) {
      return known;
    }
  }
  if (placement == Placement::kMove) {
    move_to_device(tensors, options_.device);
  }
  const auto autocast = autocast_of(
      options_.mixed_precision,
      device_type_of(tensors, options_.device),
      options_.autocast);
  models_.push_back(std::make_shared<ModelCore>(
      std::move(tensors), group_, options_.ddp, autocast));
  return models_.back();
}

std::shared_ptr<GatedOptimizer> Registry::adopt_optimizer(
    std::shared_ptr<Optimizer> optimizer) {
  ACCELERATE_CHECK(
      !optimizer->has_stepped(),
      ConfigError,
      "prepare.optimizer",
      "this optimiser has already stepped, so its state belongs to weights "
      "that preparing the model may have replaced; prepare model and optimiser "
      "together, before the first step");
  check_parameters(*optimizer, models_);
  optimizers_.push_back(std::make_shared<GatedOptimizer>(
      std::move(optimizer), options_.gradient_state, options_.guards));
  return optimizers_.back();
}

void Registry::adopt_scheduler(
    Scheduler& scheduler,
    std::span<const std::shared_ptr<Optimizer>> optimizers_beside) {
  scheduler.follow(options_.gradient_state);
  if (scheduler.is_bound()) {
    return;
  }
  ACCELERATE_CHECK(
      optimizers_beside.size() == 1,
      ConfigError,
      "prepare.scheduler",
      "a schedule made without an optimiser is bound to the one optimiser "
      "prepared beside it, but there are ",
      optimizers_beside.size(),
      "; make it with get_scheduler(name, optimizer, options) instead");
  scheduler.bind(
      optimizers_beside.front(),
      {.world_size = group_.world_size(),
       .split_batches = options_.loaders.split_batches});
}

DataLoader Registry::adopt_loader(
    const DataLoader& loader,
    Placement placement) {
  if (loader.is_sharded()) {
    return loader;
  }
  const DataLoaderConfiguration& sharing = options_.loaders;
  const bool moves = placement == Placement::kMove;
  loaders_.push_back(loader.shard(
      {.rank = group_.global_rank(),
       .world_size = group_.world_size(),
       .even_batches = sharing.even_batches,
       .split_batches = sharing.split_batches,
       .dispatch_batches =
           sharing.dispatch_batches.value_or(loader.is_stream() && moves),
       .group = group_,
       .device = moves ? std::optional(options_.device) : std::nullopt,
       .non_blocking = sharing.non_blocking,
       .rng_types = sharing.rng_types,
       .seed = sharing.data_seed ? *sharing.data_seed
                                 : seed_of_rank_0(group_, loader.seed()),
       .gradient_state = options_.gradient_state}));
  return loaders_.back();
}

void Registry::clear() {
  models_.clear();
  optimizers_.clear();
  loaders_.clear();
}

} // namespace accelerate::prepare
