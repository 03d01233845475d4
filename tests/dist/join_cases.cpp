// tests/dist/join_cases.cpp: ranks with different numbers of batches, hooks
// that compress gradients, and an exchange that is asked for late.
#include <algorithm>
#include <csignal>

#include <torch/csrc/distributed/c10d/comm.hpp>

#include "accelerate/comm/joined_models.h"
#include "tests/dist/reducer_net.h"

namespace accelerate::test {
namespace {

using Batches = std::vector<int>; // [rank]

at::Tensor loss_of(const at::Tensor& output) {
  return output.square().sum();
}

void descend(const Net& net) {
  const at::NoGradGuard no_grad;
  for (const NamedTensor& parameter : net.parameters) {
    if (parameter.tensor.grad().defined()) {
      parameter.tensor.sub_(parameter.tensor.grad(), 0.01);
    }
  }
}

/// One process that runs all ranks; those without data add nothing, and the
/// sum is divided by all.
std::vector<Net> expected_nets(const Batches& batches, int steps) {
  std::vector<Net> nets; // after each step
  Net net(1.0);
  net.drop_spare();
  const auto world = static_cast<double>(batches.size());
  for (int step = 0; step < steps; ++step) {
    net.clear_gradients();
    for (std::size_t rank = 0; rank < batches.size(); ++rank) {
      if (step < batches[rank]) {
        const Engine data(static_cast<int>(rank));
        (loss_of(net.forward(data.input(step))) / world).backward();
      }
    }
    descend(net);
    nets.emplace_back(1.0);
    nets.back().drop_spare();
    for (std::size_t i = 0; i < net.parameters.size(); ++i) {
      nets.back().parameters[i].tensor = net.at(i).detach().clone();
    }
  }
  return nets;
}

void expect_same(const std::string& what, const Net& net, const Net& expected) {
  for (std::size_t i = 0; i < net.parameters.size(); ++i) {
    expect_tensor(concat(what, " tensor ", i), net.at(i), expected.at(i));
  }
}

void train_joined(
    ProcessGroup& group,
    const Batches& batches,
    const DistributedDataParallelOptions& options) {
  const auto rank = static_cast<std::size_t>(group.global_rank());
  const int steps = *std::max_element(batches.begin(), batches.end());
  const std::vector<Net> expected = expected_nets(batches, steps);
  Net net(1.0);
  net.drop_spare();
  Engine engine(group.global_rank());
  engine.prepare(group, net, options);
  JoinedModels join(group, {&engine.reducer(0)});
  for (int step = 0; step < batches[rank]; ++step) {
    net.clear_gradients();
    engine.backward(loss_of(
        engine.forward(0, [&] { return net.forward(engine.input(step)); })));
    descend(net);
    expect_same(
        concat("step ", step), net, expected[static_cast<std::size_t>(step)]);
  }
  join.finish();
  if (steps > 0) {
    expect_same("at the end", net, expected.back());
  }
  // An ordinary step afterwards.
  net.clear_gradients();
  engine.backward(
      loss_of(engine.forward(0, [&] { return net.forward(engine.input(0)); })));
}

std::vector<DistributedDataParallelOptions> join_options() {
  return {
      {},
      {.bucket_cap_mb = 1e-5},
      {.bucket_cap_mb = 1e-5, .find_unused_parameters = true},
      {.gradient_as_bucket_view = false},
  };
}

void joins(ProcessGroup& group) {
  const auto world = static_cast<std::size_t>(group.world_size());
  Batches equal(world, 2), one_more(world, 2), none(world, 3), stairs(world);
  one_more.back() = 3;
  none.front() = 0;
  for (std::size_t rank = 0; rank < world; ++rank) {
    stairs[rank] = 3 * static_cast<int>(world - rank);
  }
  for (const DistributedDataParallelOptions& options : join_options()) {
    for (const Batches& batches :
         {equal, one_more, none, stairs, Batches(world, 0)}) {
      train_joined(group, batches, options);
    }
  }
}

/// Two models in turn, two forwards before a backward, and a sum without
/// exchange: everything that an ordinary loop may do.
void joins_in_any_order(ProcessGroup& group) {
  Nets nets, plain;
  Engine engine(group.global_rank());
  for (int i = 0; i < 2; ++i) {
    for (Nets* list : {&nets, &plain}) {
      list->emplace_back(1.0 + i);
      list->back().drop_spare();
    }
    engine.prepare(group, nets.back(), {.bucket_cap_mb = 1e-5});
  }
  JoinedModels join(group, {&engine.reducer(0), &engine.reducer(1)});
  if (group.world_size() > 1) {
    expect_throws<ConfigError>("a second join", {"joined already"}, [&] {
      JoinedModels again(group, {&engine.reducer(1)});
    });
    Net other(1.0);
    Engine fixed(group.global_rank());
    fixed.prepare(group, other, {.static_graph = true});
    expect_throws<ConfigError>("a fixed graph", {"static_graph"}, [&] {
      JoinedModels join_fixed(group, {&fixed.reducer(0)});
    });
  }
  const auto loss_at = [](const Net& net, const Engine& data, int step, int i) {
    return loss_of(net.forward(data.input(step, i)));
  };
  for (int step = 0; step < 2 + group.global_rank(); ++step) {
    for (const std::size_t model : {1U, 0U, 1U}) {
      const auto run = [&](int salt) {
        return engine.forward(
            model, [&] { return loss_at(nets[model], engine, step, salt); });
      };
      {
        const auto local = engine.no_sync(model);
        engine.backward(run(2));
      }
      engine.backward(run(0) + run(1));
      for (int rank = 0; rank < group.world_size(); ++rank) {
        for (int salt = 0; salt < 3 && step < 2 + rank; ++salt) {
          (loss_at(plain[model], Engine(rank), step, salt) / group.world_size())
              .backward();
        }
      }
      expect_tensor(
          concat("step ", step, " of model ", model),
          nets[model].at(0).grad(),
          plain[model].at(0).grad());
      nets[model].clear_gradients();
      plain[model].clear_gradients();
    }
  }
  join.finish();
}

/// Gradients of rank one: x yᵀ with x the same everywhere, so that their mean
/// is of rank one as well and PowerSGD loses nothing.
void compresses(
    ProcessGroup& group,
    const DistributedDataParallelOptions& options,
    double tolerance) {
  const at::Tensor weight = at::zeros({12, 10}).requires_grad_();
  const at::Tensor bias = at::zeros({10}).requires_grad_();
  GradientReducer reducer(
      group, {{"weight", weight}, {"bias", bias}}, {}, options);
  const at::Tensor x = at::arange(1, 13).to(at::kFloat) / 12;
  const at::Tensor y = at::arange(1, 11).to(at::kFloat) / 10;
  const double mean_rank = (group.world_size() - 1) / 2.0;
  for (int step = 0; step < 5; ++step) {
    weight.mutable_grad().reset();
    bias.mutable_grad().reset();
    reducer.before_forward();
    const at::Tensor loss = ((x.matmul(weight) + bias) * y).sum() *
        (1.0 + group.global_rank() + step);
    reducer.after_forward({loss});
    reducer.before_backward(loss);
    loss.backward();
    const double scale = 1 + mean_rank + step;
    const auto close = [&](const at::Tensor& got, const at::Tensor& expected) {
      expect(
          concat("step ", step, " with ", to_string(options.comm_hook)),
          at::allclose(got, expected * scale, tolerance, tolerance));
    };
    close(weight.grad(), at::outer(x, y));
    close(bias.grad(), y);
  }
}

void hooks(ProcessGroup& group) {
  const PowerSgdOptions early{.start_power_sgd_iter = 2};
  PowerSgdOptions batched = early;
  batched.batch_tensors_with_same_shape = true;
  PowerSgdOptions thick = early;
  thick.matrix_approximation_rank = 3; // more than there is: QR
  thick.min_compression_rate = 1;
  thick.warm_start = thick.use_error_feedback = false;
  compresses(group, {.comm_hook = CommHook::kFp16}, 2e-3);
  compresses(group, {.comm_hook = CommHook::kBf16}, 2e-2);
  for (const PowerSgdOptions& options : {early, batched, thick}) {
    compresses(
        group, {.comm_hook = CommHook::kPowerSgd, .power_sgd = options}, 1e-4);
  }
  compresses(
      group,
      {.comm_hook = CommHook::kPowerSgd,
       .comm_wrapper = CommHook::kBf16,
       .power_sgd = early},
      5e-2);
  compresses(
      group,
      {.comm_hook = CommHook::kPowerSgd,
       .comm_wrapper = CommHook::kFp16,
       .power_sgd = early},
      1e-2);
}

/// A bucket as one square is of full rank; with as many columns as it has,
/// nothing is lost.
void squares(ProcessGroup& group) {
  compresses(
      group,
      {.comm_hook = CommHook::kBatchedPowerSgd,
       .power_sgd =
           {.matrix_approximation_rank = 12, .start_power_sgd_iter = 2}},
      1e-3);
}

/// A gradient of zeros has no direction; it stays zero and stays finite.
void zeros_stay_zeros(ProcessGroup& group) {
  const at::Tensor weight = at::ones({12, 10}).requires_grad_();
  GradientReducer reducer(
      group,
      {{"weight", weight}},
      {},
      {.comm_hook = CommHook::kPowerSgd,
       .power_sgd = {.start_power_sgd_iter = 2}});
  for (int step = 0; step < 4; ++step) {
    reducer.before_forward();
    const at::Tensor loss = (weight * 0).sum();
    reducer.after_forward({loss});
    reducer.before_backward(loss);
    loss.backward();
    expect_tensor("zero", weight.grad(), at::zeros({12, 10}));
  }
}

/// Doubles what a hook of the user's would exchange.
class Doubling : public c10d::CommHookInterface {
 public:
  c10::intrusive_ptr<c10::ivalue::Future> runHook(
      c10d::GradBucket& bucket) override {
    auto future =
        c10::make_intrusive<c10::ivalue::Future>(c10::TensorType::get());
    future->markCompleted(c10::IValue(bucket.getBuffer().mul_(2)));
    return future;
  }
  at::Tensor parseHookResult(const c10::IValue& result) override {
    return result.toTensor();
  }
};

void own_hook(ProcessGroup& group) {
  Net net(1.0), plain(1.0);
  net.drop_spare();
  plain.drop_spare();
  Engine engine(group.global_rank());
  engine.prepare(group, net, {});
  engine.reducer(0).register_comm_hook(std::make_unique<Doubling>());
  const auto step = [&] {
    engine.backward(loss_of(
        engine.forward(0, [&] { return net.forward(engine.input(0)); })));
  };
  step();
  loss_of(plain.forward(engine.input(0))).backward();
  const double factor = group.world_size() > 1 ? 2 : 1;
  expect_tensor("its answer", net.at(0).grad(), plain.at(0).grad() * factor);
  if (group.world_size() == 1) {
    return;
  }
  expect_throws<ConfigError>("a second hook", {"a hook already"}, [&] {
    engine.reducer(0).register_comm_hook(std::make_unique<Doubling>());
  });
  Engine late(group.global_rank());
  late.prepare(group, plain, {});
  plain.clear_gradients();
  late.backward(
      loss_of(late.forward(0, [&] { return plain.forward(late.input(0)); })));
  expect_throws<ConfigError>("a late hook", {"trained already"}, [&] {
    late.reducer(0).register_comm_hook(std::make_unique<Doubling>());
  });
}

/// Forwards under no_sync, backwards outside; the last one exchanges them all.
void late_exchange(ProcessGroup& group) {
  for (const bool finds_unused : {false, true}) {
    Net net(1.0), plain(1.0);
    net.drop_spare();
    plain.drop_spare();
    Engine engine(group.global_rank());
    engine.prepare(group, net, {.find_unused_parameters = finds_unused});
    for (int step = 0; step < 3; ++step) {
      net.clear_gradients();
      plain.clear_gradients();
      std::vector<at::Tensor> losses;
      {
        const auto local = engine.no_sync(0);
        for (int salt = 0; salt < 3; ++salt) {
          losses.push_back(loss_of(engine.forward(
              0, [&] { return net.forward(engine.input(step, salt)); })));
        }
      }
      engine.backward(losses[0]);
      engine.backward(losses[1]);
      if (engine.num_reducers() > 0) {
        engine.reducer(0).arm_next_backward();
      }
      engine.backward(losses[2]);
      for (int rank = 0; rank < group.world_size(); ++rank) {
        for (int salt = 0; salt < 3; ++salt) {
          const at::Tensor x = Engine(rank).input(step, salt);
          (loss_of(plain.forward(x)) / group.world_size()).backward();
        }
      }
      for (std::size_t i = 0; i < net.parameters.size(); ++i) {
        expect_tensor(
            concat("step ", step), net.at(i).grad(), plain.at(i).grad());
      }
    }
  }
}

/// Rank `last` is gone while the others train joined: one of them still has
/// data, the others wait in finish().
void killed_in_join(ProcessGroup& group) {
  Net net(1.0);
  net.drop_spare();
  Engine engine(group.global_rank());
  engine.prepare(group, net, {});
  JoinedModels join(group, {&engine.reducer(0)});
  const int last = group.world_size() - 1;
  for (int step = 0; step < 2 + 100 * group.global_rank(); ++step) {
    if (group.global_rank() == last && step == 10) {
      std::raise(SIGKILL);
    }
    engine.backward(loss_of(
        engine.forward(0, [&] { return net.forward(engine.input(step)); })));
  }
  join.finish();
}

} // namespace

RankCases join_cases() {
  return {
      {"reducer/join", joins},
      {"reducer/join_in_any_order", joins_in_any_order},
      {"reducer/hooks", hooks},
      {"reducer/hook_of_squares", squares},
      {"reducer/hook_of_zeros", zeros_stay_zeros},
      {"reducer/own_hook", own_hook},
      {"reducer/late_exchange", late_exchange},
      {"fault/kill_in_join", killed_in_join},
  };
}

} // namespace accelerate::test
