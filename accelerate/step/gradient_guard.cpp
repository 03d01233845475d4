// accelerate/step/gradient_guard.cpp
#include "accelerate/step/gradient_guard.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ops/isnan.h>

#include "accelerate/comm/exchange.h"
#include "accelerate/comm/gradient_watch.h"
#include "accelerate/error.h"
#include "accelerate/log.h"
#include "accelerate/nested/finite.h"

namespace accelerate {

NonFiniteGradients parse_nonfinite_gradients(std::string_view word) {
  using enum NonFiniteGradients;
  for (const auto& [known, action] :
       {std::pair("off", kOff),
        std::pair("warn", kWarn),
        std::pair("skip", kSkip),
        std::pair("raise", kRaise)}) {
    if (word == known) {
      return action;
    }
  }
  throw ConfigError(error_message(
      "step.check_gradients",
      concat(
          "nonfinite_gradients is '",
          word,
          "', expected 'off', 'warn', 'skip' or 'raise'")));
}

namespace step {
namespace {

constexpr const char* kWhere = "step.check_gradients";

bool contains(const std::vector<at::Tensor>& list, const at::Tensor& tensor) {
  return std::any_of(list.begin(), list.end(), [&](const at::Tensor& other) {
    return other.is_same(tensor);
  });
}

} // namespace

GradientGuard::GradientGuard(
    ProcessGroup group,
    Models models,
    NonFiniteGradients action)
    : group_(std::move(group)), models_(std::move(models)), action_(action) {
  watch_gradients(group_);
}

StepVerdict GradientGuard::before_step(const StepRequest& request) {
  const std::string mine = find_here(request);
  finite_.clear();
  const auto all = gather_strings(group_, mine);
  const auto bad = std::find_if(
      all.begin(), all.end(), [](const auto& text) { return !text.empty(); });
  if (bad == all.end()) {
    return StepVerdict::kStep;
  }
  const bool steps = action_ == NonFiniteGradients::kWarn;
  const std::string message = concat(
      "the gradient of ",
      *bad,
      " on rank ",
      bad - all.begin(),
      steps ? "" : "; the step is left out on all ranks");
  if (action_ == NonFiniteGradients::kRaise) {
    throw ConfigError(error_message(kWhere, message));
  }
  log_main(LogLevel::kWarning, "step", message);
  return steps ? StepVerdict::kStep : StepVerdict::kSkip;
}

void GradientGuard::after_zero_grad(std::size_t /*optimizer*/) {
  finite_.clear();
  (void)take_watched_gradients(group_); // of a step that nobody asked about
}

void GradientGuard::note_norm(
    const std::vector<at::Tensor>& parameters,
    const at::Tensor& norm) {
  if (std::isfinite(norm.item<double>())) {
    for (const at::Tensor& parameter : parameters) {
      finite_.insert(parameter.unsafeGetTensorImpl());
    }
  }
}

/// `'layer.weight' holds nan`; empty when all are finite.
std::string GradientGuard::find_here(const StepRequest& request) {
  const WatchedGradients watched = take_watched_gradients(group_);
  std::vector<at::Tensor> bad;
  if (watched.were_exchanged) {
    bool is_unknown = false;
    for (const NamedTensor& parameter : watched.not_finite) {
      is_unknown = is_unknown || !parameter.tensor.defined();
      if (contains(request.parameters, parameter.tensor)) {
        bad.push_back(parameter.tensor);
      }
    }
    if (!bad.empty() || !is_unknown) {
      return bad.empty() ? "" : describe_first(bad);
    }
  }
  // Not exchanged; or as rows or compressed, which have no names: then the
  // average shows whose they are.
  for (const at::Tensor& parameter : request.parameters) {
    if (!finite_.contains(parameter.unsafeGetTensorImpl()) &&
        !is_finite(parameter.grad())) {
      bad.push_back(parameter);
    }
  }
  return bad.empty() ? "" : describe_first(bad);
}

/// The first in the order of the models.
std::string GradientGuard::describe_first(
    const std::vector<at::Tensor>& parameters) const {
  const auto describe = [](const auto& name, const at::Tensor& parameter) {
    const at::Tensor gradient = parameter.grad();
    const bool has_nan =
        gradient.defined() && at::isnan(gradient).any().item<bool>();
    return concat("'", name, "' holds ", has_nan ? "not-a-number" : "infinity");
  };
  for (const std::shared_ptr<ModelCore>& model : models_()) {
    for (const NamedTensor& known : model->tensors().parameters) {
      if (contains(parameters, known.tensor)) {
        return describe(known.name, known.tensor);
      }
    }
  }
  return describe("a parameter of no prepared model", parameters.front());
}

} // namespace step
} // namespace accelerate
