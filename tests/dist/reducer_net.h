// tests/dist/reducer_net.h: a small model, and a training loop around it with
// or without reducers, for the reducer's cases.
#pragma once

#include <deque>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "accelerate/comm/comm_failure.h"
#include "accelerate/comm/gradient_reducer.h"
#include "tests/dist/rank_case.h"

namespace accelerate::test {

/// Two layers of plain tensors and a second head that not every loss uses.
struct Net {
  std::vector<NamedTensor> parameters;

  explicit Net(double scale) {
    const auto add = [&](const char* name, std::vector<std::int64_t> sizes) {
      std::int64_t numel = 1;
      for (const std::int64_t size : sizes) {
        numel *= size;
      }
      const at::Tensor value = at::arange(numel).to(at::kFloat).view(sizes);
      parameters.push_back(
          {name, ((value.remainder(7) - 3) * 0.1 * scale).requires_grad_()});
    };
    add("body", {3, 4});
    add("bias", {4});
    add("head", {4, 2});
    add("spare", {4, 2});
  }

  const at::Tensor& at(std::size_t i) const {
    return parameters[i].tensor;
  }
  at::Tensor body(const at::Tensor& x) const {
    return (x.matmul(at(0)) + at(1)).tanh();
  }
  at::Tensor forward(const at::Tensor& x) const {
    return body(x).matmul(at(2));
  }
  at::Tensor forward_spare(const at::Tensor& x) const {
    return body(x).matmul(at(3));
  }
  /// The model without the spare head.
  void drop_spare() {
    parameters.pop_back();
  }
  void clear_gradients() {
    for (const NamedTensor& parameter : parameters) {
      parameter.tensor.mutable_grad().reset();
    }
  }
};

/// What a scenario calls; without reducers it is the plain computation.
class Engine {
 public:
  explicit Engine(int data_rank) : data_rank_(data_rank) {}

  void prepare(
      const ProcessGroup& group,
      const Net& net,
      const DistributedDataParallelOptions& options) {
    reducers_.emplace_back(
        group, net.parameters, std::vector<NamedTensor>(), options);
    group_ = group;
  }

  template <typename F>
  at::Tensor forward(std::size_t model, F&& run) {
    if (model < reducers_.size()) {
      reducers_[model].before_forward();
    }
    const at::Tensor output = run();
    if (model < reducers_.size()) {
      reducers_[model].after_forward({output});
    }
    return output;
  }

  void backward(const at::Tensor& loss, bool retain_graph = false) {
    for (GradientReducer& reducer : reducers_) {
      reducer.before_backward(loss);
    }
    with_comm_errors(
        group_, "step.backward", [&] { loss.backward({}, retain_graph); });
  }

  std::optional<GradientReducer::NoSync> no_sync(std::size_t model) {
    if (model < reducers_.size()) {
      return reducers_[model].no_sync();
    }
    return std::nullopt;
  }

  /// Input of this rank in a step; differs by rank.
  at::Tensor input(int step, int salt = 0) const {
    const int start = 5 * data_rank_ + 3 * step + 7 * salt;
    return (at::arange(start, start + 6).view({2, 3}).to(at::kFloat) * 0.7)
        .sin();
  }

  int data_rank() const {
    return data_rank_;
  }
  std::size_t num_reducers() const {
    return reducers_.size();
  }
  GradientReducer& reducer(std::size_t model) {
    return reducers_[model];
  }

 private:
  int data_rank_;
  ProcessGroup group_;
  std::deque<GradientReducer> reducers_;
};

using Nets = std::vector<Net>;

} // namespace accelerate::test
