// accelerate/step/scale_gradients.cpp: one kernel call for dense gradients.
#include "accelerate/step/scale_gradients.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>

#include <unordered_set>

namespace accelerate::step {

void scale_gradients(const ModelCore& model, double factor) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> dense;
  std::unordered_set<const c10::TensorImpl*> seen; // tied parameters
  for (const NamedTensor& parameter : model.tensors().parameters) {
    const at::Tensor& gradient = parameter.tensor.grad();
    if (!gradient.defined() ||
        !seen.insert(gradient.unsafeGetTensorImpl()).second) {
      continue;
    }
    if (gradient.layout() == at::kStrided) {
      dense.push_back(gradient);
    } else {
      gradient.mul_(factor);
    }
  }
  if (!dense.empty()) {
    at::_foreach_mul_(dense, factor);
  }
}

} // namespace accelerate::step
