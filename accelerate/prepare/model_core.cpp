// accelerate/prepare/model_core.cpp: lists of tensors in, a reducer around
// them.
#include "accelerate/prepare/model_core.h"

#include <algorithm>

#include <c10/core/GradMode.h>
#include <torch/nn/module.h>

namespace accelerate {
namespace {

bool same_identity(
    const std::vector<NamedTensor>& left,
    const std::vector<NamedTensor>& right) {
  return std::equal(
      left.begin(),
      left.end(),
      right.begin(),
      right.end(),
      [](const NamedTensor& a, const NamedTensor& b) {
        return a.tensor.is_same(b.tensor);
      });
}

} // namespace

ModelTensors tensors_of_module(const torch::nn::Module& module) {
  ModelTensors tensors;
  for (const auto& item : module.named_parameters(/*recurse=*/true)) {
    tensors.parameters.push_back({item.key(), item.value()});
  }
  for (const auto& item : module.named_buffers(/*recurse=*/true)) {
    tensors.buffers.push_back({item.key(), item.value()});
  }
  return tensors;
}

void move_to_device(const ModelTensors& tensors, c10::Device device) {
  const c10::AutoGradMode no_grad(false);
  for (const auto* list : {&tensors.parameters, &tensors.buffers}) {
    for (const NamedTensor& named : *list) {
      if (named.tensor.defined() && named.tensor.device() != device) {
        named.tensor.set_data(named.tensor.to(device));
      }
    }
  }
}

ModelCore::ModelCore(
    ModelTensors tensors,
    const ProcessGroup& group,
    const DistributedDataParallelOptions& options,
    const std::optional<Autocast>& autocast)
    : tensors_(std::move(tensors)),
      reducer_(group, tensors_.parameters, tensors_.buffers, options),
      autocast_(autocast),
      needs_outputs_(
          options.find_unused_parameters && !options.static_graph &&
          reducer_.is_active()) {}

bool ModelCore::has_same_tensors(const ModelTensors& other) const {
  const bool is_empty = tensors_.parameters.empty() && tensors_.buffers.empty();
  return !is_empty && same_identity(tensors_.parameters, other.parameters) &&
      same_identity(tensors_.buffers, other.buffers);
}

bool ModelCore::owns_parameter(const at::Tensor& tensor) const {
  return std::any_of(
      tensors_.parameters.begin(),
      tensors_.parameters.end(),
      [&](const NamedTensor& named) { return named.tensor.is_same(tensor); });
}

} // namespace accelerate
