// python/bindings/bind_error.cpp: the error families as Python exceptions, and
// errors of libtorch and of Python code that passed through the engine.
#include "python/bindings/bindings.h"

#include "accelerate/comm/debug_mode.h"
#include "accelerate/error.h"

#include <torch/csrc/Exceptions.h>

namespace accelerate::python {
namespace {

/// Errors of libtorch as torch itself raises them, and exceptions of Python
/// code that ran inside the engine (hooks, custom functions) as they were.
void translate_torch_error(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (python_error& python) {
    python.restore();
  } catch (const c10::Error&) {
    torch::translate_exception_to_python(error);
  }
}

template <typename Family>
void bind_family(
    py::module_& module,
    const char* name,
    PyObject* base,
    const char* meaning) {
  py::register_local_exception<Family>(module, name, base).attr("__doc__") =
      meaning;
}

} // namespace

void bind_error(py::module_& module) {
  py::register_local_exception_translator(translate_torch_error);
  bind_family<ConfigError>(
      module,
      "ConfigError",
      PyExc_ValueError,
      "What the caller asked for cannot be done, and the caller can fix it.");
  bind_family<CommError>(
      module,
      "CommError",
      PyExc_RuntimeError,
      "Another process is gone, late or disagrees; nothing more can be "
      "exchanged.");
  // After its family: translators are asked in reverse order.
  py::register_local_exception<DisagreementError>(
      module, "DistributedOperationException", module.attr("CommError").ptr())
      .attr("__doc__") =
      "Processes were about to exchange different things; names two of them. "
      "Raised on all of them.";
  bind_family<CheckpointError>(
      module,
      "CheckpointError",
      PyExc_RuntimeError,
      "A file could not be read or written; names the path.");
  bind_family<InternalError>(
      module, "InternalError", PyExc_RuntimeError, "A defect of this package.");
}

} // namespace accelerate::python
