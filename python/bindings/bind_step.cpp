// python/bindings/bind_step.cpp: accumulation, backward, clipping and metrics.
#include "python/bindings/bindings.h"

#include "accelerate/comm/joined_models.h"
#include "accelerate/step/accumulate.h"
#include "accelerate/step/backward.h"
#include "accelerate/step/clipping.h"
#include "accelerate/step/gather_for_metrics.h"
#include "accelerate/step/local_sgd.h"

#include <torch/csrc/Exceptions.h>

namespace accelerate::python {
namespace {

using Models = std::vector<std::shared_ptr<ModelCore>>;
using Tensors = std::vector<at::Tensor>;

/// One micro-batch for Python's `with`.
struct AccumulateContext {
  AccumulateContext(
      std::shared_ptr<GradientState> gradients,
      Models cores,
      Models all)
      : state(std::move(gradients)),
        models(std::move(cores)),
        prepared(std::move(all)) {}
  AccumulateContext(const AccumulateContext&) = delete;

  std::shared_ptr<GradientState> state;
  Models models;
  Models prepared;
  std::optional<step::Accumulate> micro_batch;
};

/// Joined models for Python's `with`; keeps what it refers to.
struct JoinContext {
  JoinContext(ProcessGroup all_ranks, Models cores)
      : group(std::move(all_ranks)), models(std::move(cores)) {}
  JoinContext(const JoinContext&) = delete;

  void enter() {
    std::vector<GradientReducer*> reducers;
    for (const auto& model : models) {
      reducers.push_back(&model->reducer());
    }
    join.emplace(group, reducers);
  }
  void exit(bool failed) {
    if (!failed) {
      join->finish();
    }
    join.reset();
  }

  ProcessGroup group;
  Models models;
  std::optional<JoinedModels> join;
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
    const std::optional<std::shared_ptr<GradScaler>>& scaler,
    std::optional<std::int64_t> num_items) {
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
       .inputs = std::move(inputs),
       .num_items = num_items},
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
      py::arg("num_items") = std::nullopt,
      "Gradients of a loss into the parameters, averaged over the processes. "
      "Collective unless gradients add up.");
  py::class_<AccumulateContext>(
      module, "Accumulate", "Context of one batch whose gradients add up.")
      .def(
          py::init<std::shared_ptr<GradientState>, Models, Models>(),
          py::arg("state"),
          py::arg("models"),
          py::arg("prepared"))
      .def(
          "__enter__",
          [](AccumulateContext& context) {
            context.micro_batch.emplace(
                *context.state, context.models, context.prepared);
          })
      .def("__exit__", [](AccumulateContext& context, const py::args&) {
        context.micro_batch.reset();
      });
}

void bind_joins(py::module_& module) {
  py::class_<JoinContext>(
      module,
      "Join",
      "Context in which processes may train for unequal numbers of batches.")
      .def(
          py::init<ProcessGroup, Models>(), py::arg("group"), py::arg("models"))
      .def("__enter__", &JoinContext::enter)
      .def(
          "__exit__",
          [](JoinContext& context, const py::object& type, const py::args&) {
            const bool failed = !type.is_none();
            const py::gil_scoped_release unlocked;
            context.exit(failed);
          });
  py::class_<LocalSgd>(
      module, "LocalSGD", "Processes that train on their own for some steps.")
      .def(
          py::init([](const ProcessGroup& group,
                      const std::shared_ptr<ModelCore>& model,
                      std::int64_t local_sgd_steps,
                      bool enabled) {
            return LocalSgd(
                group,
                model,
                {.local_sgd_steps = local_sgd_steps, .enabled = enabled});
          }),
          py::arg("group"),
          py::arg("model"),
          py::arg("local_sgd_steps"),
          py::arg("enabled"))
      .def(
          "step",
          &LocalSgd::step,
          ReleaseLock(),
          "Averages the parameters when it is time. Collective then.")
      .def(
          "finish",
          &LocalSgd::finish,
          ReleaseLock(),
          "Averages once more and ends. Collective.")
      .def_property_readonly(
          "num_steps", &LocalSgd::num_steps, "Calls of step() so far.");
}

} // namespace

void bind_step(py::module_& module) {
  bind_backward(module);
  bind_joins(module);
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
