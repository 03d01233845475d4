// tests/dist/reducer_guard_cases.cpp: what the reducer refuses, keeps local, or
// makes equal at the start.
#include "tests/dist/reducer_net.h"

namespace accelerate::test {
namespace {

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

/// The model is called directly: before_forward() never runs.
void forgotten_handle(ProcessGroup& group) {
  Net net(1);
  net.drop_spare();
  GradientReducer reducer(group, net.parameters, {});
  const auto loss = [&] { return net.forward(at::ones({2, 3})).sum(); };
  {
    const auto local = reducer.no_sync();
    reducer.before_backward(loss()); // meant to stay here
  }
  reducer.before_backward(at::ones({1}).requires_grad_().sum()); // another's
  if (group.world_size() > 1) {
    expect_throws<ConfigError>(
        "called directly",
        {"[comm.before_backward]", "'body'", "called directly"},
        [&] { reducer.before_backward(loss()); });
  }
  reducer.before_backward(loss()); // said once
}

/// A penalty on the weights does not come from a forward.
void penalty_on_parameters(ProcessGroup& group) {
  Net net(1);
  net.drop_spare();
  GradientReducer reducer(group, net.parameters, {});
  {
    const at::NoGradGuard no_grad;
    reducer.before_forward();
    reducer.after_forward({net.forward(at::ones({2, 3}))});
  }
  reducer.before_backward(net.at(0).square().sum());
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

RankCases reducer_guard_cases() {
  return {
      {"reducer/no_sync_is_local", no_sync_keeps_gradients_local},
      {"reducer/evaluation", evaluation_does_not_arm},
      {"reducer/starts_equal", starts_equal},
      {"reducer/buffers", buffers_follow_rank_0},
      {"reducer/models_differ", models_differ},
      {"reducer/unused_without_option", unused_without_option},
      {"reducer/static_second_backward", static_graph_second_backward},
      {"reducer/forgotten_handle", forgotten_handle},
      {"reducer/penalty", penalty_on_parameters},
      {"reducer/bad_options", bad_options},
  };
}

} // namespace accelerate::test
