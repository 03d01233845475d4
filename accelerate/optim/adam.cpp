// accelerate/optim/adam.cpp: moments per parameter, one fused call per group,
// device and dtype.
#include "accelerate/optim/adam.h"

#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include "accelerate/error.h"

namespace accelerate {
namespace optim {
namespace {

enum class Decay { kDecoupled, kInGradient };

template <typename Options>
void check_options(const Options& options, std::string_view where) {
  const auto need = [&](bool holds,
                        std::string_view name,
                        double value,
                        std::string_view range) {
    ACCELERATE_CHECK(
        holds, ConfigError, where, name, " is ", value, ", expected ", range);
  };
  need(options.lr >= 0, "lr", options.lr, "at least 0");
  need(options.eps >= 0, "eps", options.eps, "at least 0");
  need(
      options.weight_decay >= 0,
      "weight_decay",
      options.weight_decay,
      "at least 0");
  for (const auto& [name, beta] :
       {std::pair("beta1", options.beta1), std::pair("beta2", options.beta2)}) {
    need(beta >= 0 && beta < 1, name, beta, "0 up to, but not, 1");
  }
}

/// State of one parameter; undefined until its first gradient.
struct Moments {
  at::Tensor step; // float scalar, as the kernels want it
  at::Tensor average;
  at::Tensor square_average;
  at::Tensor largest_square; // amsgrad only
};

/// What one kernel call takes: parameters of one group, device and dtype.
struct KernelLists {
  c10::Device device = c10::kCPU;
  at::ScalarType dtype = at::kFloat;
  std::vector<at::Tensor> params, grads, averages, squares, largest, steps;
};

} // namespace

/// The state behind Adam and AdamW, which differ in the weight decay alone.
class AdamState {
 public:
  template <typename Options>
  AdamState(
      std::vector<ParamGroup<Options>> groups,
      Decay decay,
      std::string_view where)
      : decay_(decay), where_(where) {
    check_parameters(all_parameters(groups), where);
    for (ParamGroup<Options>& group : groups) {
      const Options& o = group.options;
      check_options(o, where);
      moments_.emplace_back(group.params.size());
      groups_.push_back(
          {std::move(group.params),
           {.lr = o.lr,
            .beta1 = o.beta1,
            .beta2 = o.beta2,
            .eps = o.eps,
            .weight_decay = o.weight_decay,
            .amsgrad = o.amsgrad,
            .maximize = o.maximize}});
    }
  }

  void step() {
    const c10::AutoGradMode no_grad(false);
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      collect(i);
      for (const KernelLists& lists : lists_) {
        update(groups_[i].options, lists);
        has_stepped_ = true;
      }
    }
  }

  AdamOptions& options(std::size_t group) {
    ACCELERATE_CHECK(
        group < groups_.size(),
        ConfigError,
        where_,
        "parameter group ",
        group,
        " of an optimiser with ",
        groups_.size());
    return groups_[group].options;
  }
  [[nodiscard]] std::size_t num_groups() const {
    return groups_.size();
  }
  [[nodiscard]] std::vector<at::Tensor> parameters() const {
    return all_parameters(groups_);
  }
  [[nodiscard]] bool has_stepped() const {
    return has_stepped_;
  }

 private:
  /// Sorts the parameters of a group that have a gradient into lists_.
  void collect(std::size_t group) {
    lists_.clear();
    const bool amsgrad = groups_[group].options.amsgrad;
    for (std::size_t i = 0; i < groups_[group].params.size(); ++i) {
      const at::Tensor& parameter = groups_[group].params[i];
      at::Tensor gradient = dense_gradient(parameter, where_);
      if (!gradient.defined()) {
        continue;
      }
      Moments& moments = moments_[group][i];
      if (!moments.step.defined()) {
        moments = make_moments(parameter, amsgrad);
      }
      moments.step.add_(1);
      KernelLists& lists = lists_for(parameter);
      lists.params.push_back(parameter);
      lists.grads.push_back(std::move(gradient));
      lists.averages.push_back(moments.average);
      lists.squares.push_back(moments.square_average);
      lists.steps.push_back(moments.step);
      if (amsgrad) {
        lists.largest.push_back(moments.largest_square);
      }
    }
  }

  static Moments make_moments(const at::Tensor& parameter, bool amsgrad) {
    Moments moments;
    moments.step =
        at::zeros({}, at::TensorOptions(parameter.device()).dtype(at::kFloat));
    moments.average = at::zeros_like(parameter);
    moments.square_average = at::zeros_like(parameter);
    if (amsgrad) {
      moments.largest_square = at::zeros_like(parameter);
    }
    return moments;
  }

  KernelLists& lists_for(const at::Tensor& parameter) {
    for (KernelLists& lists : lists_) {
      if (lists.device == parameter.device() &&
          lists.dtype == parameter.scalar_type()) {
        return lists;
      }
    }
    lists_.emplace_back();
    lists_.back().device = parameter.device();
    lists_.back().dtype = parameter.scalar_type();
    return lists_.back();
  }

  void update(const AdamOptions& o, const KernelLists& lists) const {
    const auto kernel = [&](auto&& fused) {
      fused(
          lists.params,
          lists.grads,
          lists.averages,
          lists.squares,
          lists.largest,
          lists.steps,
          o.lr,
          o.beta1,
          o.beta2,
          o.weight_decay,
          o.eps,
          o.amsgrad,
          o.maximize);
    };
    if (decay_ == Decay::kDecoupled) {
      kernel([](auto&&... a) { at::_fused_adamw_(a...); });
    } else {
      kernel([](auto&&... a) { at::_fused_adam_(a...); });
    }
  }

  Decay decay_;
  std::string_view where_; // a literal
  std::vector<ParamGroup<AdamOptions>> groups_;
  std::vector<std::vector<Moments>> moments_; // [group][parameter]
  std::vector<KernelLists> lists_; // of the group being updated
  bool has_stepped_ = false;
};

} // namespace optim

AdamW::AdamW(std::vector<at::Tensor> parameters, const AdamWOptions& options)
    : AdamW(std::vector<ParamGroup<AdamWOptions>>{
          {std::move(parameters), options}}) {}

AdamW::AdamW(std::vector<ParamGroup<AdamWOptions>> groups)
    : state_(std::make_unique<optim::AdamState>(
          std::move(groups),
          optim::Decay::kDecoupled,
          "optim.adamw")) {}

AdamW::AdamW(AdamW&&) noexcept = default;
AdamW& AdamW::operator=(AdamW&&) noexcept = default;
AdamW::~AdamW() = default;

void AdamW::step() {
  state_->step();
}

std::size_t AdamW::num_groups() const {
  return state_->num_groups();
}

double AdamW::learning_rate(std::size_t group) const {
  return state_->options(group).lr;
}

void AdamW::set_learning_rate(std::size_t group, double lr) {
  state_->options(group).lr = lr;
}

std::vector<at::Tensor> AdamW::parameters() const {
  return state_->parameters();
}

bool AdamW::has_stepped() const {
  return state_->has_stepped();
}

Adam::Adam(std::vector<at::Tensor> parameters, const AdamOptions& options)
    : Adam(std::vector<ParamGroup<AdamOptions>>{
          {std::move(parameters), options}}) {}

Adam::Adam(std::vector<ParamGroup<AdamOptions>> groups)
    : state_(std::make_unique<optim::AdamState>(
          std::move(groups),
          optim::Decay::kInGradient,
          "optim.adam")) {}

Adam::Adam(Adam&&) noexcept = default;
Adam& Adam::operator=(Adam&&) noexcept = default;
Adam::~Adam() = default;

void Adam::step() {
  state_->step();
}

std::size_t Adam::num_groups() const {
  return state_->num_groups();
}

double Adam::learning_rate(std::size_t group) const {
  return state_->options(group).lr;
}

void Adam::set_learning_rate(std::size_t group, double lr) {
  state_->options(group).lr = lr;
}

std::vector<at::Tensor> Adam::parameters() const {
  return state_->parameters();
}

bool Adam::has_stepped() const {
  return state_->has_stepped();
}

} // namespace accelerate
