// accelerate/nested/named_tensor.h: the engine's view of a model: a list of
// (name, tensor), never a module type.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace accelerate {

/// A parameter or buffer with its full dotted name. Identity matters: the
/// engine changes the tensor it was given, never a copy.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

} // namespace accelerate
