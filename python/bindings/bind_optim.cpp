// python/bindings/bind_optim.cpp: how gradients are cleared.
#include "python/bindings/bindings.h"

#include "accelerate/optim/optimizer.h"

namespace accelerate::python {

void bind_optim(py::module_& module) {
  module.def("zero_gradients", &zero_gradients);
}

} // namespace accelerate::python
