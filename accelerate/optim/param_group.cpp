// accelerate/optim/param_group.cpp: checks shared by the optimisers.
#include "accelerate/optim/param_group.h"

#include <unordered_set>

#include <ATen/ops/empty_like.h>

#include "accelerate/error.h"

namespace accelerate::optim {

void check_parameters(
    const std::vector<at::Tensor>& parameters,
    std::string_view where) {
  ACCELERATE_CHECK(
      !parameters.empty(),
      ConfigError,
      where,
      "got no parameters; was parameters() called on an empty module?");
  std::unordered_set<const c10::TensorImpl*> seen;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor& parameter = parameters[i];
    ACCELERATE_CHECK(
        parameter.defined(),
        ConfigError,
        where,
        "parameter ",
        i,
        " is an undefined tensor");
    ACCELERATE_CHECK(
        parameter.is_floating_point() && parameter.is_leaf(),
        ConfigError,
        where,
        "parameter ",
        i,
        " of dtype ",
        parameter.scalar_type(),
        " and shape ",
        parameter.sizes(),
        parameter.is_leaf() ? "" : " is the result of an operation",
        "; expected a floating leaf tensor");
    ACCELERATE_CHECK(
        parameter.is_non_overlapping_and_dense(),
        ConfigError,
        where,
        "parameter ",
        i,
        " of shape ",
        parameter.sizes(),
        " and strides ",
        parameter.strides(),
        " is a part of other memory, expected a contiguous tensor; take a "
        "clone() of it");
    ACCELERATE_CHECK(
        seen.insert(parameter.unsafeGetTensorImpl()).second,
        ConfigError,
        where,
        "parameter ",
        i,
        " of shape ",
        parameter.sizes(),
        " appears twice; it would be updated twice in each step");
  }
}

at::Tensor dense_gradient(const at::Tensor& parameter, std::string_view where) {
  const at::Tensor& gradient = parameter.grad();
  ACCELERATE_CHECK(
      !gradient.defined() || gradient.layout() == at::kStrided,
      ConfigError,
      where,
      "the gradient of a parameter of shape ",
      parameter.sizes(),
      " is sparse, which this optimiser does not support; make the embedding "
      "with sparse(false)");
  if (!gradient.defined() || gradient.strides() == parameter.strides()) {
    return gradient;
  }
  return at::empty_like(parameter).copy_(gradient);
}

} // namespace accelerate::optim
