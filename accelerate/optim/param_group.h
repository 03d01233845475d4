// accelerate/optim/param_group.h: parameters that share their settings.
#pragma once

#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "accelerate/api.h"

namespace accelerate {

/// Parameters with options of their own:
///
///     AdamW({{decayed, {.lr = 1e-4}}, {rest, {.lr = 1e-4, .weight_decay =
///     0}}})
template <typename Options>
struct ParamGroup {
  std::vector<at::Tensor> params;
  Options options;
};

namespace optim {

/// Checks what every optimiser demands of its parameters: defined, floating,
/// leaves, without holes in their memory, and none twice.
/// @param where `optim.adamw`, for the message
/// @throws ConfigError naming the position of the parameter.
void check_parameters(
    const std::vector<at::Tensor>& parameters,
    std::string_view where);

/// The parameters of all groups, group after group.
template <typename Group>
[[nodiscard]] std::vector<at::Tensor> all_parameters(
    const std::vector<Group>& groups) {
  std::vector<at::Tensor> all;
  for (const Group& group : groups) {
    all.insert(all.end(), group.params.begin(), group.params.end());
  }
  return all;
}

/// The gradient of a parameter for one step, in the parameter's memory layout,
/// because the kernels walk both memories side by side; undefined when it has
/// none.
/// @throws ConfigError for a sparse gradient.
[[nodiscard]] at::Tensor dense_gradient(
    const at::Tensor& parameter,
    std::string_view where);

} // namespace optim
} // namespace accelerate
