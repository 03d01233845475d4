// accelerate/prepare/prepared_optimizer.h: the handle around a user's
// optimiser.
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include "accelerate/optim/gated_optimizer.h"

namespace accelerate {

/// An optimiser of this library or any `torch::optim` optimiser.
template <typename T>
concept AnyOptimizer =
    std::derived_from<std::remove_cvref_t<T>, torch::optim::Optimizer> ||
    std::derived_from<std::remove_cvref_t<T>, Optimizer>;

/// A cheap, copyable handle: the user's optimiser seen through the one
/// interface of the engine. An optimiser given as an lvalue is referenced and
/// must outlive the handle; a temporary of this library is owned.
template <AnyOptimizer UserOptimizer>
class PreparedOptimizer {
 public:
  PreparedOptimizer(
      std::shared_ptr<UserOptimizer> user,
      std::shared_ptr<GatedOptimizer> engine)
      : user_(std::move(user)), engine_(std::move(engine)) {}

  /// Updates every parameter that has a gradient. Does nothing while gradients
  /// accumulate; may be skipped, see step_was_skipped().
  /// Collective: in fp16, and with other guards of the step.
  void step() const {
    engine_->step();
  }

  /// Clears all gradients. Those that live in the reducer's buckets are zeroed
  /// in place, all others become undefined. Does nothing while gradients
  /// accumulate.
  void zero_grad() const {
    engine_->zero_grad();
  }

  /// Whether the last step was left out, on all ranks, because a gradient was
  /// not finite.
  [[nodiscard]] bool step_was_skipped() const {
    return engine_->step_was_skipped();
  }

  [[nodiscard]] double learning_rate(std::size_t group = 0) const {
    return engine_->learning_rate(group);
  }

  /// What the engine steps.
  [[nodiscard]] const GatedOptimizer& engine() const {
    return *engine_;
  }

  /// The user's optimiser.
  [[nodiscard]] UserOptimizer* operator->() const {
    return user_.get();
  }
  [[nodiscard]] UserOptimizer& operator*() const {
    return *user_;
  }

  /// Lets get_scheduler() take the handle.
  friend std::shared_ptr<Optimizer> as_optimizer(
      const PreparedOptimizer& handle) {
    return handle.engine_;
  }

 private:
  std::shared_ptr<UserOptimizer> user_;
  std::shared_ptr<GatedOptimizer> engine_;
};

/// The user's optimiser, shared or referenced.
template <AnyOptimizer T>
[[nodiscard]] auto share_optimizer(T&& object) {
  using Plain = std::remove_cvref_t<T>;
  if constexpr (std::is_lvalue_reference_v<T>) {
    return std::shared_ptr<Plain>(std::shared_ptr<void>(), &object);
  } else {
    static_assert(
        !std::derived_from<Plain, torch::optim::Optimizer>,
        "a torch::optim optimiser cannot be moved: give it a name and pass "
        "that to prepare()");
    return std::make_shared<Plain>(std::forward<T>(object));
  }
}

/// The engine's view; keeps an owned optimiser of this library alive.
template <typename UserOptimizer>
[[nodiscard]] std::shared_ptr<Optimizer> engine_view(
    const std::shared_ptr<UserOptimizer>& user) {
  if constexpr (std::derived_from<UserOptimizer, Optimizer>) {
    return user;
  } else {
    return as_optimizer(*user);
  }
}

} // namespace accelerate
