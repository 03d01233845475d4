// tests/dist/reducer_cases.cpp: gradients after the reducer against the mean of
// the gradients that every rank computes alone for the data of all ranks.
#include "accelerate/comm/collectives.h"
#include "tests/dist/reducer_net.h"

namespace accelerate::test {
namespace {

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

/// A vocabulary so large that only touched rows are exchanged: ranks touch
/// unequally many, rank 0 none at all in even steps; from step 2 on, when rank
/// 1 touches all, it is exchanged as it stands.
Setup table_setup() {
  constexpr std::int64_t kRows = 4500;
  Setup setup;
  setup.adapt = [](Net& net) {
    net.drop_spare();
    const at::Tensor values = at::arange(kRows * 250).remainder(11) * 0.01;
    net.parameters.push_back(
        {"table", values.view({kRows, 250}).to(at::kFloat).requires_grad_()});
  };
  setup.step = [](Engine& engine, Nets& nets, int step) {
    const int rank = engine.data_rank();
    std::vector<std::int64_t> ids;
    for (int i = 0; i < 5 * (rank + step % 2); ++i) {
      ids.push_back((rank * 1300 + i * i * 97 + step) % kRows);
    }
    if (rank == 1) {
      ids.insert(ids.end(), {0, kRows - 1, kRows - 1});
    }
    const at::Tensor rows =
        step == 2 && rank == 1 ? at::arange(kRows) : at::tensor(ids, at::kLong);
    const at::Tensor& table = nets[0].parameters.back().tensor;
    engine.backward(loss_of(engine.forward(0, [&] {
      return nets[0].forward(engine.input(step)) +
          at::embedding(table, rows).sum() * 1e-3;
    })));
  };
  return setup;
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
      {"reducer/table", with_variants(table_setup())},
      {"reducer/tied", with_variants(tied_setup())},
      {"reducer/unused_parameter", with_variants(unused_parameter_setup())},
      {"reducer/two_heads", with_variants(two_heads_setup())},
      {"reducer/static_graph", with_variants(static_graph_setup())},
      {"reducer/no_sync", with_variants(no_sync_setup())},
  };
}

} // namespace accelerate::test
