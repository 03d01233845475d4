// python/bindings/bind_optim.cpp: how far a schedule moves in one step.
#include "python/bindings/bindings.h"

#include "accelerate/optim/schedule_steps.h"

namespace accelerate::python {

void bind_optim(py::module_& module) {
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
