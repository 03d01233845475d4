// accelerate/optim/sgd.cpp: momentum per parameter, one fused call per group,
// device, dtype and age of the momentum.
#include "accelerate/optim/sgd.h"

#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>

#include <utility>

#include "accelerate/error.h"

namespace accelerate {
namespace {

constexpr const char* kWhere = "optim.sgd";

void check_options(const SGDOptions& options) {
  const auto need = [](bool holds, std::string_view name, double value) {
    ACCELERATE_CHECK(
        holds,
        ConfigError,
        kWhere,
        name,
        " is ",
        value,
        ", expected at least 0");
  };
  need(options.lr >= 0, "lr", options.lr);
  need(options.momentum >= 0, "momentum", options.momentum);
  need(options.weight_decay >= 0, "weight_decay", options.weight_decay);
  ACCELERATE_CHECK(
      !options.nesterov || (options.momentum > 0 && options.dampening == 0),
      ConfigError,
      kWhere,
      "nesterov needs momentum above 0 and dampening 0; got momentum ",
      options.momentum,
      " and dampening ",
      options.dampening);
}

/// What one kernel call takes.
struct KernelLists {
  c10::Device device = c10::kCPU;
  at::ScalarType dtype = at::kFloat;
  // The kernel fills the momentum instead of using it.
  bool is_first_step = false;
  std::vector<at::Tensor> params, grads, momenta;
};

KernelLists& lists_for(
    std::vector<KernelLists>& all,
    const at::Tensor& parameter,
    bool is_first_step) {
  for (KernelLists& lists : all) {
    if (lists.device == parameter.device() &&
        lists.dtype == parameter.scalar_type() &&
        lists.is_first_step == is_first_step) {
      return lists;
    }
  }
  all.emplace_back();
  all.back().device = parameter.device();
  all.back().dtype = parameter.scalar_type();
  all.back().is_first_step = is_first_step;
  return all.back();
}

} // namespace

struct SGD::State {
  std::vector<ParamGroup<SGDOptions>> groups;
  std::vector<std::vector<at::Tensor>> momenta; // [group][parameter]
  bool has_stepped = false;

  std::vector<KernelLists> collect(std::size_t group) {
    std::vector<KernelLists> all;
    const bool has_momentum = groups[group].options.momentum > 0;
    for (std::size_t i = 0; i < groups[group].params.size(); ++i) {
      const at::Tensor& parameter = groups[group].params[i];
      at::Tensor gradient = optim::dense_gradient(parameter, kWhere);
      if (!gradient.defined()) {
        continue;
      }
      at::Tensor& momentum = momenta[group][i];
      const bool is_first = has_momentum && !momentum.defined();
      if (is_first) {
        momentum = at::empty_like(parameter);
      }
      KernelLists& lists = lists_for(all, parameter, is_first);
      lists.params.push_back(parameter);
      lists.grads.push_back(std::move(gradient));
      if (has_momentum) {
        lists.momenta.push_back(momentum);
      }
    }
    return all;
  }
};

SGD::SGD(std::vector<at::Tensor> parameters, const SGDOptions& options)
    : SGD(std::vector<ParamGroup<SGDOptions>>{
          {std::move(parameters), options}}) {}

SGD::SGD(std::vector<ParamGroup<SGDOptions>> groups)
    : state_(std::make_unique<State>()) {
  optim::check_parameters(optim::all_parameters(groups), kWhere);
  for (const ParamGroup<SGDOptions>& group : groups) {
    check_options(group.options);
    state_->momenta.emplace_back(group.params.size());
  }
  state_->groups = std::move(groups);
}

SGD::SGD(SGD&&) noexcept = default;
SGD& SGD::operator=(SGD&&) noexcept = default;
SGD::~SGD() = default;

void SGD::step() {
  const c10::AutoGradMode no_grad(false);
  for (std::size_t i = 0; i < state_->groups.size(); ++i) {
    const SGDOptions& o = state_->groups[i].options;
    for (const KernelLists& lists : state_->collect(i)) {
      at::_fused_sgd_(
          lists.params,
          lists.grads,
          lists.momenta,
          o.weight_decay,
          o.momentum,
          o.lr,
          o.dampening,
          o.nesterov,
          o.maximize,
          lists.is_first_step);
      state_->has_stepped = true;
    }
  }
}

SGDOptions& SGD::options(std::size_t group) const {
  ACCELERATE_CHECK(
      group < state_->groups.size(),
      ConfigError,
      kWhere,
      "parameter group ",
      group,
      " of an optimiser with ",
      state_->groups.size());
  return state_->groups[group].options;
}

std::size_t SGD::num_groups() const {
  return state_->groups.size();
}

double SGD::learning_rate(std::size_t group) const {
  return options(group).lr;
}

void SGD::set_learning_rate(std::size_t group, double lr) {
  options(group).lr = lr;
}

std::vector<at::Tensor> SGD::parameters() const {
  return optim::all_parameters(state_->groups);
}

bool SGD::has_stepped() const {
  return state_->has_stepped;
}

} // namespace accelerate
