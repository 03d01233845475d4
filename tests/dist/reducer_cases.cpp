// tests/dist/reducer_cases.cpp: gradients after the reducer against the mean of
// the gradients that every rank computes alone for the data of all ranks.
#include "tests/dist/rank_case.h"

#include "accelerate/comm/collectives.h"
#include "accelerate/comm/comm_failure.h"
#include "accelerate/comm/gradient_reducer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <deque>

namespace accelerate::test {
namespace {

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
using Scenario = std::function<void(Engine&, Nets&, int step)>;

struct Setup {
  std::size_t num_models = 1;
  DistributedDataParallelOptions options;
  std::function<void(Net&)> adapt = [](Net& net) { net.drop_spare(); };
  Scenario step;
};

Nets make_nets(const Setup& setup) {
  Nets nets;
  for (std::size_t i = 0; i < setup.num_models; ++i) {
    nets.emplace_back(1.0 + static_cast<double>(i));
    setup.adapt(nets.back());
  }
  return nets;
}

/// Gradients of all models after one step; undefined ones as zeros.
std::vector<at::Tensor> gradients(const Nets& nets) {
  std::vector<at::Tensor> result;
  for (const Net& net : nets) {
    for (const NamedTensor& parameter : net.parameters) {
      const at::Tensor& grad = parameter.tensor.grad();
      result.push_back(
          grad.defined() ? grad.clone() : at::zeros_like(parameter.tensor));
    }
  }
  return result;
}

std::vector<at::Tensor>
mean_over_ranks(const Setup& setup, int world, int step) {
  std::vector<at::Tensor> mean;
  for (int rank = 0; rank < world; ++rank) {
    Nets nets = make_nets(setup);
    Engine engine(rank);
    setup.step(engine, nets, step);
    const auto own = gradients(nets);
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (rank == 0) {
        mean.push_back(own[i] / world);
      } else {
        mean[i] += own[i] / world;
      }
    }
  }
  return mean;
}

/// Four steps: the buckets are rebuilt after the first one, and gradients are
/// cleared both ways.
void compare(const ProcessGroup& group, const Setup& setup) {
  Nets nets = make_nets(setup);
  Engine engine(group.global_rank());
  for (const Net& net : nets) {
    engine.prepare(group, net, setup.options);
  }
  for (int step = 0; step < 4; ++step) {
    for (Net& net : nets) {
      if (step == 2) {
        for (const NamedTensor& parameter : net.parameters) {
          if (parameter.tensor.grad().defined()) {
            const at::NoGradGuard no_grad;
            parameter.tensor.mutable_grad().zero_();
          }
        }
      } else {
        net.clear_gradients();
      }
    }
    setup.step(engine, nets, step);
    const auto got = gradients(nets);
    const auto expected = mean_over_ranks(setup, group.world_size(), step);
    for (std::size_t i = 0; i < got.size(); ++i) {
      expect_tensor(concat("step ", step, " tensor ", i), got[i], expected[i]);
    }
  }
}

at::Tensor loss_of(const at::Tensor& output) {
  return output.square().sum();
}

/// Runs the setup with gradients as views and as copies, with one bucket and
/// with many.
RankCase with_variants(Setup setup) {
  return [setup](ProcessGroup& group) {
    for (const bool view : {true, false}) {
      for (const double cap_mb : {25.0, 1e-5}) {
        Setup variant = setup;
        variant.options.gradient_as_bucket_view = view;
        variant.options.bucket_cap_mb = cap_mb;
        compare(group, variant);
      }
    }
  };
}

Setup one_model_setup() {
  Setup setup;
  setup.step = [](Engine& engine, Nets& nets, int step) {
    const at::Tensor x = engine.input(step);
    engine.backward(
        loss_of(engine.forward(0, [&] { return nets[0].forward(x); })));
  };
  return setup;
}

/// Generator and discriminator: the discriminator's loss sees the generator's
/// output without its graph; the generator's loss goes through both.
Setup gan_setup() {
  Setup setup;
  setup.num_models = 2;
  setup.adapt = [](Net& net) {
    net.drop_spare();
    // The generator gives three numbers, the discriminator takes three.
    net.parameters[2].tensor = net.parameters[2]
                                   .tensor.detach()
                                   .repeat({1, 2})
                                   .narrow(1, 0, 3)
                                   .contiguous()
                                   .requires_grad_();
  };
  setup.step = [](Engine& engine, Nets& nets, int step) {
    const at::Tensor noise = engine.input(step);
    const at::Tensor real = engine.input(step, 1);
    const at::Tensor fake =
        engine.forward(0, [&] { return nets[0].forward(noise); });
    const at::Tensor on_real =
        engine.forward(1, [&] { return nets[1].forward(real); });
    const at::Tensor on_fake =
        engine.forward(1, [&] { return nets[1].forward(fake.detach()); });
    engine.backward(loss_of(on_real) - on_fake.sum());
    nets[1].clear_gradients();
    engine.backward(
        engine.forward(1, [&] { return nets[1].forward(fake); }).sum());
  };
  return setup;
}

Setup two_forwards_setup(bool one_backward) {
  Setup setup;
  setup.step = [one_backward](Engine& engine, Nets& nets, int step) {
    const at::Tensor a = loss_of(
        engine.forward(0, [&] { return nets[0].forward(engine.input(step)); }));
    const at::Tensor b = loss_of(engine.forward(
        0, [&] { return nets[0].forward(engine.input(step, 1)); }));
    if (one_backward) {
      engine.backward(a + b);
    } else {
      engine.backward(a);
      engine.backward(b);
    }
  };
  return setup;
}

Setup same_loss_twice_setup() {
  Setup setup;
  setup.step = [](Engine& engine, Nets& nets, int step) {
    const at::Tensor loss = loss_of(
        engine.forward(0, [&] { return nets[0].forward(engine.input(step)); }));
    engine.backward(loss, /*retain_graph=*/true);
    engine.backward(loss);
  };
  return setup;
}

Setup forward_without_backward_setup() {
  Setup setup;
  setup.step = [](Engine& engine, Nets& nets, int step) {
    engine.forward(0, [&] { return nets[0].forward(engine.input(step, 2)); });
    if (step != 1) {
      engine.backward(loss_of(engine.forward(
          0, [&] { return nets[0].forward(engine.input(step)); })));
    }
  };
  return setup;
}

Setup unused_model_setup() {
  Setup setup;
  setup.num_models = 2;
  setup.step = [](Engine& engine, Nets& nets, int step) {
    const std::size_t used = static_cast<std::size_t>(step % 2);
    engine.backward(loss_of(engine.forward(
        used, [&] { return nets[used].forward(engine.input(step)); })));
    if (step == 3) {
      at::Tensor sum = at::zeros({});
      for (const std::size_t i : {0u, 1u}) {
        sum = sum + loss_of(engine.forward(i, [&] {
                return nets[i].forward(engine.input(step, 3));
              }));
      }
      engine.backward(sum);
    }
  };
  return setup;
}

Setup frozen_setup() {
  Setup setup = one_model_setup();
  setup.adapt = [](Net& net) {
    net.drop_spare();
    net.parameters[0].tensor.requires_grad_(false);
  };
  return setup;
}

Setup tied_setup() {
  Setup setup = one_model_setup();
  setup.adapt = [](Net& net) {
    net.drop_spare();
    net.parameters.push_back({"decoder", net.parameters[2].tensor});
  };
  return setup;
}

/// Rank 0 uses the spare head in even steps; nobody uses it in odd ones.
Setup unused_parameter_setup() {
  Setup setup;
  setup.options.find_unused_parameters = true;
  setup.adapt = [](Net&) {};
  setup.step = [](Engine& engine, Nets& nets, int step) {
    const bool spare = engine.data_rank() == 0 && step % 2 == 0;
    engine.backward(loss_of(engine.forward(0, [&] {
      const at::Tensor x = engine.input(step);
      return spare ? nets[0].forward_spare(x) : nets[0].forward(x);
    })));
  };
  return setup;
}

/// Two heads, a loss and a backward for each, one of whose graphs misses a
/// head; the output of one forward takes part in neither.
Setup two_heads_setup() {
  Setup setup = unused_parameter_setup();
  setup.step = [](Engine& engine, Nets& nets, int step) {
    const at::Tensor x = engine.input(step);
    const at::Tensor a = engine.forward(0, [&] { return nets[0].forward(x); });
    const at::Tensor b =
        engine.forward(0, [&] { return nets[0].forward_spare(x); });
    engine.backward(loss_of(a));
    engine.backward(loss_of(b) * 2);
  };
  return setup;
}

Setup static_graph_setup() {
  Setup setup;
  setup.options.static_graph = true;
  setup.adapt = [](Net&) {}; // the spare head is never used
  setup.step = two_forwards_setup(/*one_backward=*/true).step;
  return setup;
}

Setup no_sync_setup() {
  Setup setup;
  setup.step = [](Engine& engine, Nets& nets, int step) {
    {
      const auto outer = engine.no_sync(0);
      {
        const auto inner = engine.no_sync(0);
        engine.backward(loss_of(engine.forward(
            0, [&] { return nets[0].forward(engine.input(step, 1)); })));
      }
      engine.backward(loss_of(engine.forward(
          0, [&] { return nets[0].forward(engine.input(step, 2)); })));
      expect(
          "nothing is armed inside no_sync",
          engine.num_reducers() == 0 || !engine.reducer(0).is_armed());
    }
    engine.backward(loss_of(engine.forward(
        0, [&] { return nets[0].forward(engine.input(step)); })));
  };
  return setup;
}

void no_sync_keeps_gradients_local(ProcessGroup& group) {
  Net net(1);
  net.drop_spare();
  Engine engine(group.global_rank());
  engine.prepare(group, net, {});
  const auto guard = engine.no_sync(0);
  engine.backward(
      engine.forward(0, [&] { return net.forward(engine.input(0)).sum(); }));
  Net alone(1);
  alone.drop_spare();
  alone.forward(engine.input(0)).sum().backward();
  expect_tensor("local", net.at(0).grad(), alone.at(0).grad());
}

void evaluation_does_not_arm(ProcessGroup& group) {
  Net net(1);
  Engine engine(group.global_rank());
  engine.prepare(group, net, {});
  const at::NoGradGuard no_grad;
  // Ranks may evaluate different numbers of batches.
  for (int i = 0; i <= group.global_rank(); ++i) {
    engine.forward(0, [&] { return net.forward(engine.input(i)); });
  }
  expect("not armed", !engine.reducer(0).is_armed());
}

void starts_equal(ProcessGroup& group) {
  const int rank = group.global_rank();
  const auto value = [&](at::ScalarType type) {
    return at::full({2, 3}, rank + 1, at::TensorOptions().dtype(type));
  };
  std::vector<NamedTensor> parameters{
      {"w", value(at::kFloat).requires_grad_()},
      {"columns", value(at::kDouble).t().requires_grad_()},
      {"frozen", value(at::kBFloat16)},
      {"empty", at::zeros({0}).requires_grad_()}};
  std::vector<NamedTensor> buffers{
      {"count", value(at::kLong)}, {"mask", value(at::kBool)}};
  const GradientReducer reducer(group, parameters, buffers);
  for (const NamedTensor& entry : parameters) {
    if (entry.tensor.numel() > 0) {
      expect_tensor(
          entry.name, entry.tensor.detach(), at::ones_like(entry.tensor));
    }
  }
  expect_tensor("count", buffers[0].tensor, at::ones({2, 3}, at::kLong));
  expect("active", reducer.is_active() == (group.world_size() > 1));
}

void buffers_follow_rank_0(ProcessGroup& group) {
  const int world = group.world_size();
  Net net(1);
  net.drop_spare();
  const at::Tensor mean = at::zeros({2});
  GradientReducer reducer(group, net.parameters, {{"mean", mean}});
  const auto forward = [&] {
    reducer.before_forward();
    reducer.after_forward({net.forward(at::ones({2, 3}))});
  };
  mean.fill_(group.global_rank() + 5);
  forward();
  expect_tensor("before training", mean, at::full({2}, 5.0));
  mean.fill_(group.global_rank() + 7);
  {
    const at::NoGradGuard no_grad;
    forward();
    expect_tensor("before evaluation", mean, at::full({2}, 7.0));
    mean.fill_(group.global_rank() + 9);
    forward();
    expect_tensor(
        "once is enough", mean, at::full({2}, group.global_rank() + 9.0));
  }
  expect("armed by training only", reducer.is_armed() == (world > 1));
}

void models_differ(ProcessGroup& group) {
  if (group.world_size() == 1) {
    return;
  }
  const bool odd = group.global_rank() == 1;
  const auto weight = [](std::int64_t columns) {
    return NamedTensor{"fc.weight", at::zeros({2, columns}).requires_grad_()};
  };
  const auto construct = [&](std::vector<NamedTensor> parameters) {
    const GradientReducer reducer(group, std::move(parameters), {});
  };
  expect_throws<CommError>(
      "shape",
      {"[comm.check_model]",
       "rank 0 has parameter 'fc.weight': float32[2, 3]",
       "rank 1 has parameter 'fc.weight': float32[2, 4]"},
      [&] { construct({weight(odd ? 4 : 3)}); });
  expect_throws<CommError>("count", {"no more than 1"}, [&] {
    construct(
        odd ? std::vector<NamedTensor>{weight(3)}
            : std::vector<NamedTensor>{weight(3), {"b", at::zeros({1})}});
  });
  expect_throws<CommError>("frozen", {"frozen"}, [&] {
    NamedTensor entry = weight(3);
    entry.tensor.requires_grad_(!odd);
    construct({entry});
  });
}

void unused_without_option(ProcessGroup& group) {
  if (group.world_size() == 1) {
    return;
  }
  Net net(1);
  Engine engine(group.global_rank());
  engine.prepare(group, net, {});
  const auto forward = [&] {
    return engine.forward(0, [&] { return net.forward(engine.input(0)); });
  };
  engine.backward(forward().sum());
  expect_throws<ConfigError>(
      "names the parameter",
      {"1 of 4 parameters", "'spare'", "find_unused_parameters"},
      [&] { (void)forward(); });
}

void static_graph_second_backward(ProcessGroup& group) {
  if (group.world_size() == 1) {
    return;
  }
  Net net(1);
  net.drop_spare();
  Engine engine(group.global_rank());
  engine.prepare(group, net, {.static_graph = true});
  const at::Tensor loss =
      engine.forward(0, [&] { return net.forward(engine.input(0)).sum(); });
  engine.backward(loss, /*retain_graph=*/true);
  expect_throws<ConfigError>("second", {"one backward for each forward"}, [&] {
    engine.backward(loss);
  });
}

void bad_options(ProcessGroup& group) {
  expect_throws<ConfigError>("bucket", {"bucket_cap_mb is 0"}, [&] {
    const GradientReducer reducer(group, {}, {}, {.bucket_cap_mb = 0});
  });
  GradientReducer nothing(group, {}, {});
  nothing.before_forward();
  nothing.after_forward({});
  nothing.before_backward(at::ones({}));
  expect("inactive", !nothing.is_active());
}

} // namespace

RankCases reducer_cases() {
  return {
      {"reducer/one_model", with_variants(one_model_setup())},
      {"reducer/gan", with_variants(gan_setup())},
      {"reducer/two_forwards", with_variants(two_forwards_setup(true))},
      {"reducer/two_backwards", with_variants(two_forwards_setup(false))},
      {"reducer/same_loss_twice", with_variants(same_loss_twice_setup())},
      {"reducer/forward_only", with_variants(forward_without_backward_setup())},
      {"reducer/unused_model", with_variants(unused_model_setup())},
      {"reducer/frozen", with_variants(frozen_setup())},
      {"reducer/tied", with_variants(tied_setup())},
      {"reducer/unused_parameter", with_variants(unused_parameter_setup())},
      {"reducer/two_heads", with_variants(two_heads_setup())},
      {"reducer/static_graph", with_variants(static_graph_setup())},
      {"reducer/no_sync", with_variants(no_sync_setup())},
      {"reducer/no_sync_is_local", no_sync_keeps_gradients_local},
      {"reducer/evaluation", evaluation_does_not_arm},
      {"reducer/starts_equal", starts_equal},
      {"reducer/buffers", buffers_follow_rank_0},
      {"reducer/models_differ", models_differ},
      {"reducer/unused_without_option", unused_without_option},
      {"reducer/static_second_backward", static_graph_second_backward},
      {"reducer/bad_options", bad_options},
  };
}

} // namespace accelerate::test
