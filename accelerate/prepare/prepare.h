// accelerate/prepare/prepare.h: sorts the arguments of prepare() by type and
// returns one handle for each, in the order given.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "accelerate/error.h"
#include "accelerate/prepare/prepared_model.h"
#include "accelerate/prepare/prepared_optimizer.h"
#include "accelerate/prepare/registry.h"

namespace accelerate {

struct PrepareOptions {
  /// Whether prepared objects move to the device, and batches with them.
  bool device_placement = true;
  /// The same for each object in the order given; empty: device_placement for
  /// all.
  std::vector<bool> device_placement_each = {};
};

namespace prepare {

template <typename T>
concept AnyScheduler = std::same_as<std::remove_cvref_t<T>, Scheduler>;
template <typename T>
concept AnyLoader = std::same_as<std::remove_cvref_t<T>, DataLoader>;

/// Later passes need what earlier ones made: an optimiser is checked against
/// the models, a schedule bound to its optimiser.
enum class Pass { kModelsAndLoaders, kOptimizers, kSchedulers };

/// What the slots of one prepare() call share.
struct CallContext {
  Registry& registry;
  std::vector<std::shared_ptr<Optimizer>> optimizers = {};
};

/// Passes an object of a type that prepare() does not know through: an lvalue
/// as a reference, a temporary by value.
template <typename T>
class Slot {
 public:
  using Result = T;
  explicit Slot(T&& object) : object_(std::forward<T>(object)) {}
  void run(Pass /*pass*/, CallContext& /*call*/, Registry::Placement /*p*/) {}
  Result take() {
    return std::forward<T>(object_);
  }

 private:
  T object_;
};

template <AnyTorchModule T>
class Slot<T> {
 public:
  using Shared = decltype(share_module(std::declval<T>()));
  using Result = PreparedModel<typename Shared::element_type>;

  explicit Slot(T&& object) : module_(share_module(std::forward<T>(object))) {
    ACCELERATE_CHECK(
        module_ != nullptr,
        ConfigError,
        "prepare.model",
        "the module is empty (a null holder or pointer)");
  }
  void run(Pass pass, CallContext& call, Registry::Placement placement) {
    if (pass == Pass::kModelsAndLoaders) {
      core_ = call.registry.adopt_model(tensors_of_module(*module_), placement);
    }
  }
  Result take() {
    return Result(std::move(module_), std::move(core_));
  }

 private:
  Shared module_;
  std::shared_ptr<ModelCore> core_;
};

template <AnyOptimizer T>
class Slot<T> {
 public:
  using Shared = decltype(share_optimizer(std::declval<T>()));
  using Result = PreparedOptimizer<typename Shared::element_type>;

  explicit Slot(T&& object) : user_(share_optimizer(std::forward<T>(object))) {}
  void run(Pass pass, CallContext& call, Registry::Placement /*placement*/) {
    if (pass == Pass::kOptimizers) {
      engine_ = call.registry.adopt_optimizer(engine_view(user_));
      call.optimizers.push_back(engine_);
    }
  }
  Result take() {
    return Result(std::move(user_), std::move(engine_));
  }

 private:
  Shared user_;
  std::shared_ptr<GatedOptimizer> engine_;
};

template <AnyScheduler T>
class Slot<T> {
 public:
  using Result = Scheduler;
  explicit Slot(const Scheduler& scheduler) : scheduler_(scheduler) {}
  void run(Pass pass, CallContext& call, Registry::Placement /*placement*/) {
    if (pass == Pass::kSchedulers) {
      call.registry.adopt_scheduler(scheduler_, call.optimizers);
    }
  }
  Result take() {
    return scheduler_;
  }

 private:
  Scheduler scheduler_;
};

template <AnyLoader T>
class Slot<T> {
 public:
  using Result = DataLoader;
  explicit Slot(const DataLoader& loader) : loader_(loader) {}
  void run(Pass pass, CallContext& call, Registry::Placement placement) {
    if (pass == Pass::kModelsAndLoaders) {
      loader_ = call.registry.adopt_loader(loader_, placement);
    }
  }
  Result take() {
    return loader_;
  }

 private:
  DataLoader loader_;
};

[[nodiscard]] inline Registry::Placement placement_of(
    const PrepareOptions& options,
    std::size_t position) {
  const bool moves = options.device_placement_each.empty()
      ? options.device_placement
      : options.device_placement_each[position];
  return moves ? Registry::Placement::kMove : Registry::Placement::kKeep;
}

/// Accelerator::prepare() without its object.
template <typename... T>
decltype(auto)
prepare_all(Registry& registry, const PrepareOptions& options, T&&... objects) {
  ACCELERATE_CHECK(
      options.device_placement_each.empty() ||
          options.device_placement_each.size() == sizeof...(T),
      ConfigError,
      "prepare",
      "device_placement_each has ",
      options.device_placement_each.size(),
      " entries for ",
      sizeof...(T),
      " objects");
  std::tuple<Slot<T>...> slots(Slot<T>(std::forward<T>(objects))...);
  CallContext call{registry};
  for (const Pass pass :
       {Pass::kModelsAndLoaders, Pass::kOptimizers, Pass::kSchedulers}) {
    std::size_t position = 0;
    std::apply(
        [&](auto&... slot) {
          (slot.run(pass, call, placement_of(options, position++)), ...);
        },
        slots);
  }
  if constexpr (sizeof...(T) == 1) {
    return std::get<0>(slots).take();
  } else {
    return std::apply(
        [](auto&... slot) {
          return std::tuple<typename Slot<T>::Result...>(slot.take()...);
        },
        slots);
  }
}

} // namespace prepare
} // namespace accelerate
