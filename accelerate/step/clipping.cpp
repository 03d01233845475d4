// accelerate/step/clipping.cpp: one kernel call for all gradients of a device
// and dtype.
#include "accelerate/step/clipping.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_set>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_clamp_max.h>
#include <ATen/ops/_foreach_clamp_min.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include "accelerate/error.h"

namespace accelerate {

void ClipOptions::validate() const {
  constexpr const char* kWhere = "step.clip_grad_norm";
  // Written so that not-a-number fails as well.
  ACCELERATE_CHECK(
      max_norm >= 0,
      ConfigError,
      kWhere,
      "max_norm is ",
      max_norm,
      ", expected at least 0");
  ACCELERATE_CHECK(
      norm_type > 0,
      ConfigError,
      kWhere,
      "norm_type is ",
      norm_type,
      ", expected more than 0, infinity included");
  ACCELERATE_CHECK(
      gradient_scale > 0,
      ConfigError,
      kWhere,
      "gradient_scale is ",
      gradient_scale,
      ", expected more than 0");
}

namespace step {
namespace {

/// Keeps the division defined when all gradients are zero; torch's value.
constexpr double kNormEpsilon = 1e-6;

/// Gradients of one device and dtype, which one kernel call can take.
using Gradients = std::vector<at::Tensor>;

bool belongs_to(const Gradients& group, const at::Tensor& gradient) {
  return group.front().device() == gradient.device() &&
      group.front().scalar_type() == gradient.scalar_type();
}

std::vector<Gradients> group_gradients(
    const std::vector<at::Tensor>& parameters,
    std::string_view where) {
  std::vector<Gradients> groups;
  std::unordered_set<const c10::TensorImpl*> seen;
  for (const at::Tensor& parameter : parameters) {
    const at::Tensor gradient =
        parameter.defined() ? parameter.grad() : at::Tensor();
    // An empty gradient adds nothing, and has no largest value.
    if (!gradient.defined() || gradient.numel() == 0 ||
        !seen.insert(gradient.unsafeGetTensorImpl()).second) {
      continue;
    }
    ACCELERATE_CHECK(
        gradient.layout() == at::kStrided,
        ConfigError,
        where,
        "the gradient of a parameter of shape ",
        parameter.sizes(),
        " is sparse, expected a dense one; make its embedding with sparse off");
    auto group = std::find_if(groups.begin(), groups.end(), [&](auto& known) {
      return belongs_to(known, gradient);
    });
    if (group == groups.end()) {
      group = groups.insert(groups.end(), Gradients());
    }
    group->push_back(gradient);
  }
  return groups;
}

at::Tensor total_norm(const std::vector<Gradients>& groups, double norm_type) {
  if (groups.empty()) {
    return at::zeros({});
  }
  const c10::Device device = groups.front().front().device();
  std::vector<at::Tensor> norms;
  for (const Gradients& group : groups) {
    for (const at::Tensor& norm : at::_foreach_norm(group, norm_type)) {
      norms.push_back(norm.to(device));
    }
  }
  return at::linalg_vector_norm(at::stack(norms), norm_type);
}

bool is_finite(const at::Tensor& norm) {
  return std::isfinite(norm.item<double>());
}

} // namespace

at::Tensor clip_grad_norm(
    const std::vector<at::Tensor>& parameters,
    const ClipOptions& options) {
  constexpr const char* kWhere = "step.clip_grad_norm";
  const at::NoGradGuard no_grad;
  options.validate();
  const std::vector<Gradients> groups = group_gradients(parameters, kWhere);
  at::Tensor norm = total_norm(groups, options.norm_type);
  if (options.gradient_scale != 1) {
    norm.div_(options.gradient_scale);
  }
  ACCELERATE_CHECK(
      !options.error_if_nonfinite || is_finite(norm),
      ConfigError,
      kWhere,
      "the norm of the gradients is ",
      norm.item<double>(),
      ", so they cannot be clipped; leave error_if_nonfinite off to go on");
  // The factor stays on the device: reading it would wait for the device.
  const at::Tensor factor =
      (options.max_norm / (norm + kNormEpsilon)).clamp_max(1.0);
  if (factor.is_cpu() && factor.item<double>() == 1) {
    return norm;
  }
  for (const Gradients& group : groups) {
    at::_foreach_mul_(group, factor.to(group.front().device()));
  }
  return norm;
}

void clip_grad_value(
    const std::vector<at::Tensor>& parameters,
    double clip_value) {
  constexpr const char* kWhere = "step.clip_grad_value";
  const at::NoGradGuard no_grad;
  ACCELERATE_CHECK(
      clip_value >= 0,
      ConfigError,
      kWhere,
      "clip_value is ",
      clip_value,
      ", expected at least 0");
  for (const Gradients& group : group_gradients(parameters, kWhere)) {
    at::_foreach_clamp_min_(group, -clip_value);
    at::_foreach_clamp_max_(group, clip_value);
  }
}

} // namespace step
} // namespace accelerate
