// accelerate/prepare/prepared_model.h: the handle around a user's module.
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "accelerate/error.h"
#include "accelerate/nested/visit_tensors.h"
#include "accelerate/prepare/model_core.h"

namespace accelerate {

template <typename T>
concept TorchModule =
    std::derived_from<std::remove_cvref_t<T>, torch::nn::Module>;

/// torch::nn::Linear and every other TORCH_MODULE: a holder of a shared module.
template <typename T>
concept TorchModuleHolder = !TorchModule<T> && requires(const T& holder) {
  { *holder.ptr() } -> TorchModule;
};

template <typename T>
concept SharedTorchModule = requires(const T& pointer) {
  { *pointer } -> TorchModule;
  pointer.use_count();
};

template <typename T>
concept AnyTorchModule =
    TorchModule<T> || TorchModuleHolder<T> || SharedTorchModule<T>;

/// A cheap, copyable handle: the user's module plus what the engine does
/// around its forward. A module given as an lvalue is referenced and must
/// outlive the handle; a temporary is owned; holders and shared pointers are
/// shared.
template <TorchModule Module>
class PreparedModel {
 public:
  using ModuleType = Module;

  PreparedModel(std::shared_ptr<Module> module, std::shared_ptr<ModelCore> core)
      : module_(std::move(module)), core_(std::move(core)) {}

  /// Calls the module's forward, in the precision of the Accelerator; half and
  /// bfloat16 tensors it returns come out as float32. In a world larger than
  /// one, and with gradients on, also prepares the exchange of gradients.
  /// Collective: when gradients are on or buffers are broadcast.
  /// @throws ConfigError in mixed precision for an output of a type that
  ///   visit_tensors() does not know.
  template <typename... Args>
  auto operator()(Args&&... args) const {
    core_->before_forward();
    auto output = forward(std::forward<Args>(args)...);
    core_->after_forward(
        core_->needs_outputs() ? visible_tensors(output)
                               : std::vector<at::Tensor>());
    return output;
  }

  void train(bool on = true) const {
    module_->train(on);
  }
  void eval() const {
    module_->eval();
  }
  [[nodiscard]] auto parameters() const {
    return module_->parameters();
  }
  [[nodiscard]] auto named_parameters() const {
    return module_->named_parameters();
  }
  void zero_grad() const {
    module_->zero_grad();
  }

  /// The user's module.
  [[nodiscard]] Module* operator->() const {
    return module_.get();
  }
  [[nodiscard]] Module& operator*() const {
    return *module_;
  }
  [[nodiscard]] const std::shared_ptr<Module>& module() const {
    return module_;
  }
  [[nodiscard]] const std::shared_ptr<ModelCore>& core() const {
    return core_;
  }

 private:
  template <typename... Args>
  auto forward(Args&&... args) const {
    if (!core_->autocast()) {
      return module_->forward(std::forward<Args>(args)...);
    }
    auto output = [&] {
      const AutocastGuard guard(core_->autocast());
      return module_->forward(std::forward<Args>(args)...);
    }();
    if constexpr (TensorVisitable<decltype(output)>) {
      return outputs_in_full_precision(output);
    } else {
      throw ConfigError(error_message(
          "prepare.model",
          "mixed precision gives outputs in float32, but the type of the "
          "model's output is unknown; write visit_tensors() for it (see "
          "accelerate/nested/visit_tensors.h)"));
      return output;
    }
  }

  template <typename Output>
  static std::vector<at::Tensor> visible_tensors(const Output& output) {
    if constexpr (TensorVisitable<Output>) {
      return tensors_of(output);
    } else {
      throw ConfigError(error_message(
          "prepare.model",
          "find_unused_parameters needs the tensors of the model's output, "
          "but its type is unknown; write visit_tensors() for it (see "
          "accelerate/nested/visit_tensors.h)"));
    }
  }

  std::shared_ptr<Module> module_;
  std::shared_ptr<ModelCore> core_;
};

/// The module behind what a user passes, shared or referenced.
template <AnyTorchModule T>
[[nodiscard]] auto share_module(T&& object) {
  using Plain = std::remove_cvref_t<T>;
  if constexpr (TorchModule<Plain>) {
    if constexpr (std::is_lvalue_reference_v<T>) {
      return std::shared_ptr<Plain>(std::shared_ptr<void>(), &object);
    } else {
      return std::make_shared<Plain>(std::forward<T>(object));
    }
  } else if constexpr (TorchModuleHolder<Plain>) {
    using Shared = std::remove_cvref_t<decltype(object.ptr())>;
    return object.is_empty() ? Shared() : object.ptr();
  } else {
    return object;
  }
}

} // namespace accelerate
