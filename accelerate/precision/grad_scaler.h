// accelerate/precision/grad_scaler.h: keeps the small gradients of fp16 from
// becoming zero.
//
// The loss is multiplied with a factor, so all gradients are. Before a step
// they are divided again ("unscaled") and checked: when one is infinite or not
// a number the step is left out and the factor shrinks; after enough steps
// without that it grows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/state/gradient_state.h"
#include "accelerate/state/step_guard.h"

namespace accelerate {

/// Source: torch.amp.GradScaler
struct GradScalerOptions {
  /// First factor, more than 0.
  double init_scale = 65536;
  /// By which the factor grows, more than 1.
  double growth_factor = 2;
  /// By which it shrinks, more than 0 and less than 1.
  double backoff_factor = 0.5;
  /// Updates in a row without a skipped step before it grows, at least 1.
  std::int64_t growth_interval = 2000;
  /// false: nothing is scaled and no step is left out.
  bool enabled = true;

  /// @throws ConfigError for values out of range.
  ACCELERATE_API void validate() const;
};

/// All that a scaler remembers between iterations, with the names of torch.
struct GradScalerState {
  double scale = 65536;
  double growth_factor = 2;
  double backoff_factor = 0.5;
  std::int64_t growth_interval = 2000;
  /// Updates without a skipped step since the factor last changed.
  std::int64_t growth_tracker = 0;
};

/// The gradients of one optimiser, by its number (StepRequest::optimizer).
struct OptimizerGradients {
  std::size_t optimizer = 0;
  std::vector<at::Tensor> parameters;
};

/// The factor, and what each optimiser's gradients are at.
///
/// However many optimisers there are, the factor is updated once per iteration:
/// as soon as every prepared optimiser has stepped (or has skipped its step),
/// or before the next loss is scaled, or before an optimiser steps a second
/// time, whichever comes first. (The original updates once per optimiser.)
class ACCELERATE_API GradScaler final : public StepGuard {
 public:
  /// @param group all ranks leave out a step when one of them finds a gradient
  ///   that is not finite
  /// @throws ConfigError for options out of range.
  GradScaler(ProcessGroup group, const GradScalerOptions& options = {});

  [[nodiscard]] bool is_enabled() const {
    return enabled_;
  }

  /// The loss times the factor, as float32 when it is half or bfloat16. Ends
  /// the iteration of steps before it.
  [[nodiscard]] at::Tensor scale(const at::Tensor& loss);

  /// Divides the gradients of an optimiser and looks for values that are not
  /// finite, without waiting for the device. Does nothing when that was done
  /// since the last backward. Not collective.
  /// @throws ConfigError for gradients in half precision, for gradients before
  ///   any loss was scaled, and for gradients of which one part is divided
  ///   already: another backward followed, without a step or zero_grad() of the
  ///   optimiser.
  void unscale(
      std::size_t optimizer,
      const std::vector<at::Tensor>& parameters);

  /// Unscales all of these, unless gradients accumulate: then they are still
  /// being added, and stay as they are.
  /// @return the factor that the gradients have after it: 1 when unscaled
  double unscale_when_complete(
      const GradientState& state,
      std::span<const OptimizerGradients> gradients);

  /// Unscales if that was not done, and agrees on the finding.
  /// Collective. Blocking: waits for the device.
  /// @return kSkip on all ranks when any found a value that is not finite
  /// @throws ConfigError as unscale(); CommError when the exchange fails
  [[nodiscard]] StepVerdict before_step(const StepRequest& request) override;
  void after_zero_grad(std::size_t optimizer) override;

  /// Updates the factor if a step was taken or left out since the last update.
  void update();

  /// What losses are multiplied with, 1 when not enabled.
  [[nodiscard]] double current_scale() const;
  /// @param scale more than 0
  /// @throws ConfigError otherwise.
  void set_scale(double scale);

  /// The state without the steps since the last update.
  [[nodiscard]] const GradScalerState& state_at_last_update() const {
    return state_;
  }
  /// Updates first, so that what is saved between two iterations is complete.
  [[nodiscard]] GradScalerState state();
  /// Goes on from there.
  /// @throws ConfigError for values out of range; nothing is changed then.
  void load_state(const GradScalerState& state);

 private:
  struct Progress {
    /// Count of backwards when the gradients were unscaled.
    std::uint64_t unscaled_at = 0;
    /// Unscaled, and neither used nor cleared since.
    bool is_waiting = false;
    bool has_stepped = false;
    /// By device; empty when nothing was looked at since the last step.
    std::vector<at::Tensor> found;
    /// What the ranks agreed on last; until the gradients are cleared or new.
    bool is_bad = false;
  };

  void unscale_now(
      Progress& progress,
      const std::vector<at::Tensor>& parameters) const;
  [[nodiscard]] bool agree(
      const Progress& progress,
      const std::vector<at::Tensor>& parameters) const;

  ProcessGroup group_;
  bool enabled_;
  GradScalerState state_;
  std::uint64_t backwards_ = 0;
  double gradient_scale_ = 1; // of the last backward
  std::unordered_map<std::size_t, Progress> progress_; // [optimizer]
  std::size_t num_stepped_ = 0; // since the last update
  bool found_bad_ = false; // since the last update
};

} // namespace accelerate
