// python/bindings/bind_state.cpp: who am I, and where is the step.
#include "python/bindings/bindings.h"

#include "accelerate/state/gradient_state.h"
#include "accelerate/state/process_state.h"

namespace accelerate::python {
namespace {

/// A loader of Python: it says where it is, the step asks.
class PythonLoader : public ActiveLoader {
 public:
  [[nodiscard]] bool end_of_dataloader() const override {
    return is_at_end;
  }
  [[nodiscard]] std::int64_t remainder() const override {
    return rest;
  }
  [[nodiscard]] std::int64_t valid_samples() const override {
    return valid;
  }

  bool is_at_end = false;
  std::int64_t rest = -1;
  std::int64_t valid = -1;
};

void bind_process_state(py::module_& module) {
  py::class_<ProcessState>(module, "ProcessState")
      .def_property_readonly(
          "device",
          [](const ProcessState& state) { return state.device().str(); })
      .def_property_readonly("num_threads", &ProcessState::num_threads)
      .def_property_readonly("global_rank", &ProcessState::global_rank)
      .def_property_readonly("world_size", &ProcessState::world_size)
      .def_property_readonly("local_rank", &ProcessState::local_rank)
      .def_property_readonly(
          "local_world_size",
          [](const ProcessState& state) {
            return state.environment().local_world_size;
          })
      .def_property_readonly(
          "is_one_machine",
          [](const ProcessState& state) {
            return state.environment().is_one_machine;
          })
      .def_property_readonly("origin", [](const ProcessState& state) {
        return state.environment().origin;
      });
  module.def(
      "initialize_process_state",
      [](bool cpu) { return ProcessState::initialize({.cpu = cpu}); },
      py::arg("cpu") = false);
  module.def("reset_process_state", &ProcessState::reset);
}

void bind_gradient_state(py::module_& module) {
  py::class_<ActiveLoader, std::shared_ptr<ActiveLoader>>(
      module, "ActiveLoader");
  py::class_<PythonLoader, ActiveLoader, std::shared_ptr<PythonLoader>>(
      module, "LoaderPosition")
      .def(py::init<>())
      .def_readwrite("end_of_dataloader", &PythonLoader::is_at_end)
      .def_readwrite("remainder", &PythonLoader::rest)
      .def_readwrite("valid_samples", &PythonLoader::valid);
  py::class_<GradientState, std::shared_ptr<GradientState>>(
      module, "GradientState")
      .def(py::init<>())
      .def_property(
          "sync_gradients",
          &GradientState::sync_gradients,
          &GradientState::set_sync_gradients)
      .def_property(
          "num_steps", &GradientState::num_steps, &GradientState::set_num_steps)
      .def_property("step", &GradientState::step, &GradientState::set_step)
      .def_property(
          "sync_with_dataloader",
          &GradientState::sync_with_dataloader,
          &GradientState::set_sync_with_dataloader)
      .def_property(
          "sync_each_batch",
          &GradientState::sync_each_batch,
          &GradientState::set_sync_each_batch)
      .def(
          "push_loader",
          [](GradientState& state,
             const std::shared_ptr<ActiveLoader>& loader) {
            state.push_loader(loader);
          })
      .def(
          "remove_loader",
          [](GradientState& state,
             const std::shared_ptr<ActiveLoader>& loader) {
            state.remove_loader(loader.get());
          })
      .def_property_readonly(
          "in_dataloader",
          [](const GradientState& state) {
            return state.active_loader() != nullptr;
          })
      .def_property_readonly(
          "end_of_dataloader", &GradientState::end_of_dataloader)
      .def_property_readonly("remainder", &GradientState::remainder)
      .def_property_readonly("valid_samples", &GradientState::valid_samples);
}

} // namespace

void bind_state(py::module_& module) {
  bind_process_state(module);
  bind_gradient_state(module);
}

} // namespace accelerate::python
