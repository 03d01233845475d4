// python/bindings/bind_prepare.cpp: models as lists of named tensors.
#include "python/bindings/bindings.h"

#include "accelerate/prepare/model_core.h"

#include <torch/csrc/distributed/c10d/python_comm_hook.h>

namespace accelerate::python {
namespace {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

std::vector<NamedTensor> to_named(const NamedTensors& pairs) {
  std::vector<NamedTensor> result;
  result.reserve(pairs.size());
  for (const auto& [name, tensor] : pairs) {
    result.push_back({name, tensor});
  }
  return result;
}

/// A no_sync() guard for Python's `with`.
struct NoSyncContext {
  explicit NoSyncContext(std::shared_ptr<ModelCore> model)
      : core(std::move(model)) {}
  NoSyncContext(NoSyncContext&&) = default;
  NoSyncContext(const NoSyncContext&) = delete;

  std::shared_ptr<ModelCore> core;
  std::vector<GradientReducer::NoSync> guards;
};

void bind_no_sync(py::module_& module) {
  py::class_<NoSyncContext>(
      module, "NoSync", "Context in which gradients of a model stay local.")
      .def(
          "__enter__",
          [](NoSyncContext& context) {
            context.guards.push_back(context.core->reducer().no_sync());
          })
      .def("__exit__", [](NoSyncContext& context, const py::args&) {
        context.guards.pop_back();
      });
}

} // namespace

void bind_prepare(py::module_& module) {
  bind_no_sync(module);
  py::class_<ModelCore, std::shared_ptr<ModelCore>>(
      module, "ModelCore", "The tensors of a model, surrounding each forward.")
      .def(
          py::init([](const NamedTensors& parameters,
                      const NamedTensors& buffers,
                      const ProcessGroup& group,
                      const DistributedDataParallelOptions& options) {
            return std::shared_ptr<ModelCore>(
                new ModelCore(
                    ModelTensors{to_named(parameters), to_named(buffers)},
                    group,
                    options),
                UnlockedDelete());
          }),
          py::arg("parameters"),
          py::arg("buffers"),
          py::arg("group"),
          py::arg("options"),
          ReleaseLock(),
          "Makes the model that of process 0, as far as `options` say. "
          "Collective.")
      .def_property_readonly(
          "is_active",
          [](ModelCore& core) { return core.reducer().is_active(); },
          "Whether there are gradients to exchange and someone to do it with.")
      .def_property_readonly(
          "is_armed",
          [](ModelCore& core) { return core.reducer().is_armed(); },
          "Whether the next backward exchanges gradients.")
      .def_property_readonly(
          "needs_outputs",
          &ModelCore::needs_outputs,
          "Whether after_forward() looks at the tensors it is given.")
      .def(
          "before_forward",
          &ModelCore::before_forward,
          ReleaseLock(),
          "Call it before each forward. Collective when there are buffers to "
          "share.")
      .def(
          "after_forward",
          &ModelCore::after_forward,
          py::arg("outputs"),
          ReleaseLock(),
          "Readies the exchange for the backward that follows.")
      .def(
          "owns_parameter",
          &ModelCore::owns_parameter,
          py::arg("tensor"),
          "Whether this is a parameter of the model.")
      .def(
          "no_sync",
          [](const std::shared_ptr<ModelCore>& core) {
            return NoSyncContext(core);
          },
          "Context in which gradients of the model stay local and add up.")
      .def(
          "arm_next_backward",
          [](ModelCore& core) { core.reducer().arm_next_backward(); },
          ReleaseLock(),
          "Readies the exchange for the next backward, though forwards were "
          "under no_sync. Collective the first time.")
      .def(
          "register_comm_hook",
          [](ModelCore& core, py::object state, py::object hook) {
            core.reducer().register_comm_hook(
                std::make_unique<c10d::PythonCommHook>(
                    std::move(state), std::move(hook)));
          },
          py::arg("state"),
          py::arg("hook"),
          "Lets `hook(state, bucket)` exchange the gradients. Not collective.");
}

} // namespace accelerate::python
