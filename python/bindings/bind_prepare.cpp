// python/bindings/bind_prepare.cpp: models as lists of named tensors.
#include "python/bindings/bindings.h"

#include "accelerate/prepare/model_core.h"

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

} // namespace

void bind_prepare(py::module_& module) {
  py::class_<ModelCore, std::shared_ptr<ModelCore>>(module, "ModelCore")
      .def(
          py::init([](const NamedTensors& parameters,
                      const NamedTensors& buffers,
                      const ProcessGroup& group,
                      const DistributedDataParallelOptions& options) {
            return std::make_shared<ModelCore>(
                ModelTensors{to_named(parameters), to_named(buffers)},
                group,
                options);
          }),
          ReleaseLock())
      .def_property_readonly(
          "is_active",
          [](ModelCore& core) { return core.reducer().is_active(); })
      .def_property_readonly(
          "is_armed", [](ModelCore& core) { return core.reducer().is_armed(); })
      .def_property_readonly("needs_outputs", &ModelCore::needs_outputs)
      .def("before_forward", &ModelCore::before_forward, ReleaseLock())
      .def("after_forward", &ModelCore::after_forward, ReleaseLock())
      .def("owns_parameter", &ModelCore::owns_parameter)
      .def("no_sync", [](const std::shared_ptr<ModelCore>& core) {
        return NoSyncContext(core);
      });
  py::class_<NoSyncContext>(module, "NoSync")
      .def(
          "__enter__",
          [](NoSyncContext& context) {
            context.guards.push_back(context.core->reducer().no_sync());
          })
      .def("__exit__", [](NoSyncContext& context, const py::args&) {
        context.guards.pop_back();
      });
}

} // namespace accelerate::python
