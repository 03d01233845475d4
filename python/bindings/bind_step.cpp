// python/bindings/bind_step.cpp: accumulation, backward, clipping and metrics.
#include "python/bindings/bindings.h"

#include "accelerate/step/accumulate.h"
#include "accelerate/step/backward.h"
#include "accelerate/step/clipping.h"
#include "accelerate/step/gather_for_metrics.h"

#include <torch/csrc/Exceptions.h>

namespace accelerate::python {
namespace {

using Models = std::vector<std::shared_ptr<ModelCore>>;
using Tensors = std::vector<at::Tensor>;

/// One micro-batch for Python's `with`.
struct AccumulateContext {
  AccumulateContext(std::shared_ptr<GradientState> gradients, Models cores)
      : state(std::move(gradients)), models(std::move(cores)) {}
  AccumulateContext(const AccumulateContext&) = delete;

  std::shared_ptr<GradientState> state;
  Models models;
  std::optional<step::Accumulate> micro_batch;
};

void run_backward(
    const ProcessGroup& group,
    const GradientState& state,
    const std::optional<at::Tensor>& loss,
    const Models& models,
    const std::optional<at::Tensor>& gradient,
    std::optional<bool> retain_graph,
    bool create_graph,
    Tensors inputs,
    const std::optional<std::shared_ptr<GradScaler>>& scaler) {
  // Warnings raised by C++ code of the graph become Python's.
  const torch::PyWarningHandler warnings;
  const py::gil_scoped_release unlocked;
  step::backward(
      group,
      state,
      loss.value_or(at::Tensor()),
      models,
      {.gradient = gradient.value_or(at::Tensor()),
       .retain_graph = retain_graph,
       .create_graph = create_graph,
       .inputs = std::move(inputs)},
      scaler.value_or(nullptr).get());
}

void bind_backward(py::module_& module) {
  module.def(
      "backward",
      &run_backward,
      py::arg("group"),
      py::arg("state"),
      py::arg("loss"),
      py::arg("models"),
      py::arg("gradient") = std::nullopt,
      py::arg("retain_graph") = std::nullopt,
      py::arg("create_graph") = false,
      py::arg("inputs") = Tensors(),
      py::arg("scaler") = std::nullopt,
      "Gradients of a loss into the parameters, averaged over the processes. "
      "Collective unless gradients add up.");
  py::class_<AccumulateContext>(
      module, "Accumulate", "Context of one batch whose gradients add up.")
      .def(
          py::init<std::shared_ptr<GradientState>, Models>(),
          py::arg("state"),
          py::arg("models"))
      .def(
          "__enter__",
          [](AccumulateContext& context) {
            context.micro_batch.emplace(*context.state, context.models);
          })
      .def("__exit__", [](AccumulateContext& context, const py::args&) {
        context.micro_batch.reset();
      });
}

} // namespace

void bind_step(py::module_& module) {
  bind_backward(module);
  module.def(
      "clip_grad_norm",
      [](const Tensors& parameters,
         double max_norm,
         double norm_type,
         double gradient_scale) {
        return step::clip_grad_norm(
            parameters,
            {.max_norm = max_norm,
             .norm_type = norm_type,
             .gradient_scale = gradient_scale});
      },
      py::arg("parameters"),
      py::arg("max_norm"),
      py::arg("norm_type"),
      py::arg("gradient_scale") = 1.0,
      ReleaseLock(),
      "Scales gradients to a norm of at most `max_norm`; gives the norm "
      "before. Not collective.");
  module.def(
      "clip_grad_value",
      &step::clip_grad_value,
      py::arg("parameters"),
      py::arg("clip_value"),
      ReleaseLock(),
      "Limits gradients to [-clip_value, clip_value]. Not collective.");
  module.def(
      "valid_rows",
      &step::valid_rows,
      py::arg("state"),
      py::arg("rows"),
      "How many of the rows of this process no other one has. Not "
      "collective.");
  module.def(
      "gather_valid_rows",
      &step::gather_valid_rows,
      py::arg("group"),
      py::arg("state"),
      py::arg("tensors"),
      ReleaseLock(),
      "Rows of all processes without repeated samples. Collective.");
}

} // namespace accelerate::python
