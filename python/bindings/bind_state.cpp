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

  [[nodiscard]] std::int64_t batch_index() const override {
    return batch;
  }

  bool is_at_end = false;
  std::int64_t rest = -1;
  std::int64_t valid = -1;
  std::int64_t batch = -1;
  py::object reference = py::none();
};

void bind_process_state(py::module_& module) {
  py::class_<ProcessState>(
      module, "ProcessState", "The place of this process in its job.")
      .def_property_readonly(
          "device",
          [](const ProcessState& state) { return state.device().str(); },
          "Name of the device of this process, such as 'cuda:0'.")
      .def_property_readonly(
          "num_threads",
          &ProcessState::num_threads,
          "Threads of this process for computing.")
      .def_property_readonly(
          "global_rank",
          &ProcessState::global_rank,
          "Index of this process in the job, from 0.")
      .def_property_readonly(
          "world_size", &ProcessState::world_size, "Processes of the job.")
      .def_property_readonly(
          "local_rank",
          &ProcessState::local_rank,
          "Index of this process on its machine, from 0.")
      .def_property_readonly(
          "local_world_size",
          [](const ProcessState& state) {
            return state.environment().local_world_size;
          },
          "Processes of the job on this machine.")
      .def_property_readonly(
          "is_one_machine",
          [](const ProcessState& state) {
            return state.environment().is_one_machine;
          },
          "Whether the job is known to run on one machine.")
      .def_property_readonly(
          "origin",
          [](const ProcessState& state) { return state.environment().origin; },
          "Who started this process, as its variables tell.");
  module.def(
      "initialize_process_state",
      [](bool cpu) { return ProcessState::initialize({.cpu = cpu}); },
      py::arg("cpu") = false,
      "Finds the place of this process; the same again at later calls. Not "
      "collective.");
  module.def(
      "reset_process_state",
      &ProcessState::reset,
      "Forgets the place of this process; for tests.");
}

void bind_loaders(py::module_& module) {
  py::class_<ActiveLoader, std::shared_ptr<ActiveLoader>>(
      module, "ActiveLoader", "A loader that is being iterated.");
  py::class_<PythonLoader, ActiveLoader, std::shared_ptr<PythonLoader>>(
      module, "LoaderPosition", "Where one pass over a loader is.")
      .def(py::init<>(), "Before the first batch.")
      .def_readwrite(
          "loader",
          &PythonLoader::reference,
          "A weak reference to the loader, or None.")
      .def_readwrite(
          "batch_index",
          &PythonLoader::batch,
          "Number of the batch that was handed out last, from 0; -1 when "
          "unknown.")
      .def_readwrite(
          "end_of_dataloader",
          &PythonLoader::is_at_end,
          "Whether the last batch was handed out.")
      .def_readwrite(
          "remainder",
          &PythonLoader::rest,
          "Samples of the last round when they do not fill it, 0 when they "
          "do, -1 when unknown.")
      .def_readwrite(
          "valid_samples",
          &PythonLoader::valid,
          "Samples of this process's batch that are not repetitions; -1 when "
          "unknown.");
}

using StateClass = py::class_<GradientState, std::shared_ptr<GradientState>>;

void bind_active_loader(StateClass& bound) {
  bound
      .def(
          "push_loader",
          [](GradientState& state,
             const std::shared_ptr<ActiveLoader>& loader) {
            state.push_loader(loader);
          },
          py::arg("loader"),
          "Makes `loader` the innermost one, while it lives.")
      .def(
          "remove_loader",
          [](GradientState& state,
             const std::shared_ptr<ActiveLoader>& loader) {
            state.remove_loader(loader.get());
          },
          py::arg("loader"),
          "Removes `loader`, wherever it is.")
      .def_property_readonly(
          "active_loaders",
          [](const GradientState& state) {
            std::vector<std::shared_ptr<ActiveLoader>> loaders;
            for (const auto& loader : state.active_loaders()) {
              loaders.push_back(std::const_pointer_cast<ActiveLoader>(loader));
            }
            return loaders;
          },
          "The loaders that are being iterated, innermost last.")
      .def_property_readonly(
          "in_dataloader",
          [](const GradientState& state) {
            return state.active_loader() != nullptr;
          },
          "Whether a loader is being iterated.")
      .def_property_readonly(
          "end_of_dataloader",
          &GradientState::end_of_dataloader,
          "Of the innermost loader; False outside of one.")
      .def_property_readonly(
          "remainder",
          &GradientState::remainder,
          "Of the innermost loader; -1 outside of one.")
      .def_property_readonly(
          "valid_samples",
          &GradientState::valid_samples,
          "Of the innermost loader; -1 outside of one.");
}

void bind_gradient_state(py::module_& module) {
  StateClass bound(module, "GradientState", "Where the current step is.");
  bound.def(py::init<>(), "Outside of any loader; every backward synchronises.")
      .def_property(
          "sync_gradients",
          &GradientState::sync_gradients,
          &GradientState::set_sync_gradients,
          "Whether this backward exchanges gradients, and optimisers step.")
      .def_property(
          "num_steps",
          &GradientState::num_steps,
          &GradientState::set_num_steps,
          "Batches whose gradients add up before a step, at least 1.")
      .def_property(
          "step",
          &GradientState::step,
          &GradientState::set_step,
          "Batches since the counter was last reset.")
      .def_property(
          "sync_with_dataloader",
          &GradientState::sync_with_dataloader,
          &GradientState::set_sync_with_dataloader,
          "Whether the last batch of a loader ends the sum.")
      .def_property(
          "sync_each_batch",
          &GradientState::sync_each_batch,
          &GradientState::set_sync_each_batch,
          "Whether gradients are exchanged after every batch.")
      .def_property(
          "exact_last_window",
          &GradientState::exact_last_window,
          &GradientState::set_exact_last_window,
          "Whether a sum that a loader's end cut short is divided by its own "
          "length.")
      .def_property_readonly(
          "loss_divisor",
          &GradientState::loss_divisor,
          "What losses of the current batch are divided by.");
  bind_active_loader(bound);
}

} // namespace

void bind_state(py::module_& module) {
  bind_process_state(module);
  bind_loaders(module);
  bind_gradient_state(module);
}

} // namespace accelerate::python
