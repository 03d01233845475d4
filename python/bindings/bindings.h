// python/bindings/bindings.h: one function for each stage of the engine; each
// adds that stage's names to the module. Nothing is decided here: a binding
// converts arguments, lets go of the interpreter lock where the engine may
// block, and calls it.
#pragma once

#include <optional>

#include <torch/csrc/utils/pybind.h>

namespace accelerate::python {

void bind_error(py::module_& module);
void bind_state(py::module_& module);
void bind_comm(py::module_& module);
void bind_data(py::module_& module);
void bind_optim(py::module_& module);
void bind_precision(py::module_& module);
void bind_prepare(py::module_& module);
void bind_step(py::module_& module);
void bind_check(py::module_& module);

/// For calls that may block or run other people's Python code on other threads.
using ReleaseLock = py::call_guard<py::gil_scoped_release>;

/// Deletes what may own a process group. The end of a group waits for its
/// threads, and they may want the lock to let go of a tensor.
struct UnlockedDelete {
  template <typename T>
  void operator()(T* object) const {
    std::optional<py::gil_scoped_release> unlocked;
    if (PyGILState_Check() == 1) {
      unlocked.emplace();
    }
    delete object;
  }
};

} // namespace accelerate::python
