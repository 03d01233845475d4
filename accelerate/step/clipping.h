// accelerate/step/clipping.h: bounds gradients between backward and the step of
// the optimiser.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"

namespace accelerate {

struct ACCELERATE_API ClipOptions {
  /// Largest norm allowed, at least 0; infinity only measures.
  double max_norm = 1;
  /// Order of the norm, more than 0; infinity: the largest absolute value.
  double norm_type = 2;
  /// Throws instead of scaling when the norm is infinite or not a number.
  bool error_if_nonfinite = false;
  /// What the gradients are multiplied with while a GradScaler has not unscaled
  /// them, more than 0. The norm and its limit are those without it.
  double gradient_scale = 1;

  /// @throws ConfigError for values out of range.
  void validate() const;
};

namespace step {

/// Scales all gradients in place by one factor, so that their norm as one
/// vector is at most `max_norm`. Gradients that are views, as those in the
/// buckets of a gradient exchange, are scaled where they are. Not collective:
/// after backward gradients are equal on all ranks, and so are their norms.
/// @param parameters of any devices and dtypes; those without a gradient are
///   left out, one given twice counts once
/// @return the norm before scaling, without dimensions, on the device of the
///   first gradient; 0 when there is none
/// @throws ConfigError for a sparse gradient, options out of range, or a norm
///   that is not finite when that was asked for. No gradient was changed then.
/// Source: torch.nn.utils.clip_grad_norm_
ACCELERATE_API at::Tensor clip_grad_norm(
    const std::vector<at::Tensor>& parameters,
    const ClipOptions& options);

/// Limits every element of every gradient to [-clip_value, clip_value], in
/// place. Not collective.
/// @param clip_value at least 0
/// @throws ConfigError for a sparse gradient or a value out of range.
/// Source: torch.nn.utils.clip_grad_value_
ACCELERATE_API void clip_grad_value(
    const std::vector<at::Tensor>& parameters,
    double clip_value);

} // namespace step
} // namespace accelerate
