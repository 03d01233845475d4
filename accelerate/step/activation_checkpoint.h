// accelerate/step/activation_checkpoint.h: computes a part of a model twice
// instead of keeping its activations.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"
#include "accelerate/nested/visit_tensors.h"

namespace accelerate {

struct CheckpointOptions {
  /// The second computation draws the random numbers of the first one. Off for
  /// parts that draw none: saves a copy of the generators' states.
  bool preserve_rng_state = true;
};

namespace step {

/// A part of a model: tensors in, tensors out.
using Segment =
    std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>;

/// checkpoint() below, for lists.
ACCELERATE_API std::vector<at::Tensor> checkpoint_segment(
    Segment segment,
    const std::vector<at::Tensor>& inputs,
    const CheckpointOptions& options = {});

} // namespace step

/// `function(inputs…)`, of which only the inputs are kept: backward computes it
/// again, with the random numbers and the autocast of the first time.
///
///     hidden = checkpoint([&](const at::Tensor& x) { return layer(x); }, x);
///
/// The graph stays visible: parameters that `function` uses are edges of its
/// node, so gradient exchange, its search for unused parameters, no_sync and
/// parameters used several times work as without it. Nests. Where gradients are
/// off it is a plain call. Not collective; `function` must not be either.
/// @param function is copied and called again in backward: what it captures by
///   reference must live until then and must not have changed. It may capture
///   tensors with a history; these keep theirs.
/// @param inputs any values that visit_tensors reaches; must not be changed in
///   place before backward
/// @return what `function` returns
/// @throws ConfigError in backward when the second computation gives other
///   shapes, and for gradients of gradients, which are not supported
/// Source: torch.utils.checkpoint.checkpoint
template <typename F, TensorVisitable... T>
[[nodiscard]] auto checkpoint_with(
    const CheckpointOptions& options,
    F function,
    const T&... inputs) {
  using Result = std::remove_cvref_t<std::invoke_result_t<F&, const T&...>>;
  static_assert(TensorVisitable<Result>, "function must return tensors");
  // The first result, whose structure the tensors of the graph go into.
  const auto first = std::make_shared<std::optional<Result>>();
  const auto wants_first = std::make_shared<bool>(true);
  const std::tuple<T...> values(inputs...);
  auto outputs = step::checkpoint_segment(
      [function = std::move(function), values, first, wants_first](
          const std::vector<at::Tensor>& tensors) mutable {
        auto next = tensors.begin();
        const auto own =
            map_tensors(values, [&](const at::Tensor&) { return *next++; });
        Result result = std::apply(function, own);
        auto list = tensors_of(result);
        if (*wants_first) {
          *first = std::move(result);
          *wants_first = false;
        }
        return list;
      },
      tensors_of(values),
      options);
  Result result = std::move(**first);
  first->reset();
  auto next = outputs.begin();
  return map_tensors(
      std::move(result), [&](const at::Tensor&) { return *next++; });
}

/// checkpoint_with() the defaults.
template <typename F, TensorVisitable... T>
[[nodiscard]] auto checkpoint(F function, const T&... inputs) {
  return checkpoint_with(CheckpointOptions{}, std::move(function), inputs...);
}

} // namespace accelerate
