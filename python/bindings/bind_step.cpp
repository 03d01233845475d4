// python/bindings/bind_step.cpp: backward and metrics.
#include "python/bindings/bindings.h"

#include "accelerate/step/backward.h"
#include "accelerate/step/gather_for_metrics.h"

#include <torch/csrc/Exceptions.h>

namespace accelerate::python {
namespace {

void run_backward(
    const ProcessGroup& group,
    const at::Tensor& loss,
    const std::vector<std::shared_ptr<ModelCore>>& models) {
  // Warnings raised by C++ code of the graph become Python's.
  const torch::PyWarningHandler warnings;
  const py::gil_scoped_release unlocked;
  step::backward(group, loss, models);
}

} // namespace

void bind_step(py::module_& module) {
  module.def("backward", &run_backward);
  module.def("gather_valid_rows", &step::gather_valid_rows, ReleaseLock());
}

} // namespace accelerate::python
