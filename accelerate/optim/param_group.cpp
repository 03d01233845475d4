// accelerate/optim/param_group.cpp: checks shared by the optimisers.
#include "accelerate/optim/param_group.h"

#include <unordered_set>

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

const at::Tensor& dense_gradient(
    const at::Tensor& parameter,
    std::string_view where) {
  const at::Tensor& gradient = parameter.grad();
  ACCELERATE_CHECK(
      !gradient.defined() || !gradient.is_sparse(),
      ConfigError,
      where,
      "the gradient of a parameter of shape ",
      parameter.sizes(),
      " is sparse, which this optimiser does not support; make the embedding "
      "with sparse(false)");
  return gradient;
}

} // namespace accelerate::optim
