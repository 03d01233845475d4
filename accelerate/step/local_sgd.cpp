// accelerate/step/local_sgd.cpp: parameters travel in one piece for each device
// and dtype.
#include "accelerate/step/local_sgd.h"

#include "accelerate/comm/collectives.h"
#include "accelerate/error.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <map>
#include <unordered_set>
#include <utility>

namespace accelerate {
namespace {

using Tensors = std::vector<at::Tensor>;

/// Each parameter once, those of one device and dtype together.
std::vector<Tensors> group_parameters(const ModelTensors& tensors) {
  std::map<std::pair<std::string, at::ScalarType>, Tensors> groups;
  std::unordered_set<const c10::TensorImpl*> seen;
  for (const NamedTensor& named : tensors.parameters) {
    if (named.tensor.defined() && named.tensor.is_floating_point() &&
        seen.insert(named.tensor.unsafeGetTensorImpl()).second) {
      groups[{named.tensor.device().str(), named.tensor.scalar_type()}]
          .push_back(named.tensor);
    }
  }
  std::vector<Tensors> result;
  for (auto& [key, group] : groups) {
    result.push_back(std::move(group));
  }
  return result;
}

at::Tensor in_one_piece(const Tensors& tensors) {
  Tensors flat;
  flat.reserve(tensors.size());
  for (const at::Tensor& tensor : tensors) {
    flat.push_back(tensor.detach().reshape({-1}));
  }
  return at::cat(flat);
}

} // namespace

void LocalSgdOptions::validate() const {
  ACCELERATE_CHECK(
      local_sgd_steps >= 1,
      ConfigError,
      "step.local_sgd",
      "local_sgd_steps is ",
      local_sgd_steps,
      ", expected at least 1");
}

LocalSgd::LocalSgd(
    const ProcessGroup& group,
    std::shared_ptr<ModelCore> model,
    const LocalSgdOptions& options)
    : group_(group), model_(std::move(model)), options_(options) {
  options.validate();
  if (options.enabled && group.world_size() > 1) {
    local_.emplace(model_->reducer().no_sync());
  }
}

void LocalSgd::step() {
  ++num_steps_;
  if (local_ && num_steps_ % options_.local_sgd_steps == 0) {
    average();
  }
}

void LocalSgd::finish() {
  if (local_) {
    average();
    local_.reset();
  }
}

void LocalSgd::average() const {
  const at::NoGradGuard no_grad;
  const std::vector<Tensors> groups = group_parameters(model_->tensors());
  Tensors pieces;
  for (const Tensors& group : groups) {
    pieces.push_back(in_one_piece(group));
  }
  const Tensors means = comm::reduce(group_, pieces, Reduction::kMean);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    std::int64_t begin = 0;
    for (const at::Tensor& parameter : groups[i]) {
      const std::int64_t numel = parameter.numel();
      parameter.copy_(means[i].narrow(0, begin, numel).view(parameter.sizes()));
      begin += numel;
    }
  }
}

} // namespace accelerate
