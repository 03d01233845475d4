// python/bindings/bind_error.cpp: the error families as Python exceptions, and
// errors of libtorch and of Python code that passed through the engine.
#include "python/bindings/bindings.h"

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

} // namespace

void bind_error(py::module_& module) {
  py::register_local_exception_translator(translate_torch_error);
  py::register_local_exception<ConfigError>(
      module, "ConfigError", PyExc_ValueError);
  py::register_local_exception<CommError>(
      module, "CommError", PyExc_RuntimeError);
  py::register_local_exception<CheckpointError>(
      module, "CheckpointError", PyExc_RuntimeError);
  py::register_local_exception<InternalError>(
      module, "InternalError", PyExc_RuntimeError);
}

} // namespace accelerate::python
