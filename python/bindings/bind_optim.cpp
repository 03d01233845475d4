// python/bindings/bind_optim.cpp: whether an optimiser steps, and how far a
// schedule moves.
#include "python/bindings/bindings.h"

#include "accelerate/optim/schedule_steps.h"
#include "accelerate/state/step_gate.h"

namespace accelerate::python {
namespace {

void bind_gate(py::module_& module) {
  py::class_<StepGuard, std::shared_ptr<StepGuard>>(
      module, "StepGuard", "May forbid a step of an optimiser.");
  py::class_<StepGuards, std::shared_ptr<StepGuards>>(
      module, "StepGuards", "The guards of one Accelerator.")
      .def(py::init<>(), "Without guards.")
      .def(
          "add",
          &StepGuards::add,
          py::arg("guard"),
          "From now on `guard` is asked too, after the others. All processes "
          "add it.");
  py::class_<StepGate>(
      module, "StepGate", "Whether one optimiser steps, and its schedules.")
      .def(
          py::init([](std::shared_ptr<GradientState> gradients,
                      std::shared_ptr<StepGuards> guards) {
            return std::make_unique<StepGate>(
                std::move(gradients), std::move(guards));
          }),
          py::arg("gradients"),
          py::arg("guards"),
          "Of an optimiser that is made now. Not collective.")
      .def_property_readonly(
          "optimizer",
          &StepGate::optimizer,
          "Number of the optimiser among those of the guards.")
      .def_property_readonly(
          "asks_guards",
          [](const StepGate& gate) {
            return gate.has_guards() && !gate.is_accumulating();
          },
          "Whether may_step() looks at parameters now.")
      .def(
          "may_step",
          &StepGate::may_step,
          py::arg("parameters"),
          ReleaseLock(),
          "Whether to step now. Collective when there are guards.")
      .def(
          "after_zero_grad",
          &StepGate::after_zero_grad,
          "Call it when gradients were cleared.")
      .def_property_readonly(
          "step_was_skipped",
          &StepGate::step_was_skipped,
          "Whether a guard forbade the last step that was due.");
}

} // namespace

void bind_optim(py::module_& module) {
  bind_gate(module);
  module.def(
      "schedule_steps",
      [](int world_size,
         bool split_batches,
         bool step_with_optimizer,
         bool sync_gradients,
         bool any_optimizer_skipped) {
        return schedule_steps(
            {.world_size = world_size,
             .split_batches = split_batches,
             .step_with_optimizer = step_with_optimizer,
             .sync_gradients = sync_gradients,
             .any_optimizer_skipped = any_optimizer_skipped});
      },
      py::kw_only(),
      py::arg("world_size"),
      py::arg("split_batches"),
      py::arg("step_with_optimizer"),
      py::arg("sync_gradients"),
      py::arg("any_optimizer_skipped"),
      "How far a schedule moves in one step. Not collective.");
}

} // namespace accelerate::python
