// python/bindings/module.cpp: the module accelerate._native, in the order of
// the stages.
#include "python/bindings/bindings.h"

#include "accelerate/version.h"

#include <torch/headeronly/version.h>

PYBIND11_MODULE(_native, module) {
  using namespace accelerate::python;
  module.doc() = "The engine behind the package accelerate; private.";
  module.attr("__version__") =
      ACCELERATE_PYTHON_API_VERSION "+native." ACCELERATE_VERSION_STRING;
  module.attr("torch_version") = TORCH_VERSION;
  bind_error(module);
  bind_state(module);
  bind_comm(module);
  bind_data(module);
  bind_optim(module);
  bind_precision(module);
  bind_prepare(module);
  bind_step(module);
  bind_check(module);
}
