// benchmarks/step_bench.cpp: processor time of one training step of a tiny MLP
// (64-64-64, batch 8, AdamW), bare and through the Accelerator, world of one.
//
//   step_bench [--steps N] [--rounds N]
//
// The two loops take turns within the process, a round of one after a round of
// the other, and have the same libtorch modules and the same optimiser, so
// that their difference is what the handles cost. A second pair of loops adds
// the gradients of two batches and clips them, by hand and with accumulate()
// and clip_grad_norm(). Beside it the cost of the guard around a forward in low
// precision. Prints one line of JSON.
// Twin: benchmarks/reference/step.py
#include <algorithm>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

#include <ATen/ops/mse_loss.h>
#include <ATen/ops/randn.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/utils/clip_grad.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "accelerate/accelerator.h"
#include "accelerate/optim/adam.h"
#include "accelerate/state/seed.h"

namespace {

using accelerate::AdamW;

// Nothing moves: a net that has learned its one batch computes with denormal
// numbers, which take longer than others.
constexpr double kLearningRate = 0;

torch::nn::Sequential make_mlp() {
  accelerate::set_seed(0); // equal weights take equal time
  return torch::nn::Sequential(
      torch::nn::Linear(64, 64), torch::nn::ReLU(), torch::nn::Linear(64, 64));
}

/// Processor time of this process in microseconds: neighbours on the machine
/// matter less to it than to the wall clock, and one thread does all the work.
double now_us() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e6 * static_cast<double>(now.tv_sec) +
      1e-3 * static_cast<double>(now.tv_nsec);
}

/// Microseconds of one call, over `steps` calls.
template <typename Step>
double measure(int steps, Step step) {
  const double start = now_us();
  for (int i = 0; i < steps; ++i) {
    step();
  }
  return (now_us() - start) / steps;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Setup {
  int steps = 100;
  int rounds = 201;
};

/// Medians over the rounds, with names that begin with `prefix`.
template <typename Bare, typename Wrapped>
nlohmann::json compare(
    const Setup& setup,
    const std::string& prefix,
    Bare bare,
    Wrapped wrapped) {
  const int steps = setup.steps;
  measure(steps, bare);
  measure(steps, wrapped);
  std::vector<double> bare_times, wrapped_times, differences;
  for (int round = 0; round < setup.rounds; ++round) {
    // Who goes first alternates, so that a drift of the clock cancels.
    const bool bare_first = round % 2 == 0;
    const double first =
        bare_first ? measure(steps, bare) : measure(steps, wrapped);
    const double second =
        bare_first ? measure(steps, wrapped) : measure(steps, bare);
    bare_times.push_back(bare_first ? first : second);
    wrapped_times.push_back(bare_first ? second : first);
    differences.push_back(wrapped_times.back() - bare_times.back());
  }
  return {
      {prefix + "bare_us", median(bare_times)},
      {prefix + "wrapped_us", median(wrapped_times)},
      {prefix + "overhead_us", median(differences)}};
}

nlohmann::json plain_steps(const Setup& setup) {
  accelerate::Accelerator accelerator;
  const at::Tensor x = at::randn({8, 64});
  const at::Tensor y = at::randn({8, 64});
  auto bare_net = make_mlp();
  AdamW bare_optimizer(bare_net->parameters(), {.lr = kLearningRate});
  const auto bare = [&] {
    const at::Tensor loss = at::mse_loss(bare_net->forward(x), y);
    loss.backward();
    bare_optimizer.step();
    bare_optimizer.zero_grad();
  };
  auto net = make_mlp();
  auto [model, optimizer] =
      accelerator.prepare(net, AdamW(net->parameters(), {.lr = kLearningRate}));
  const auto wrapped = [&, &prepared = model, &engine = optimizer] {
    const at::Tensor loss = at::mse_loss(prepared(x), y);
    accelerator.backward(loss);
    engine.step();
    engine.zero_grad();
  };
  return compare(setup, "", bare, wrapped);
}

/// One call is one of two batches whose gradients add up.
nlohmann::json accumulated_steps(const Setup& setup) {
  accelerate::Accelerator accelerator({.gradient_accumulation_steps = 2});
  const at::Tensor x = at::randn({8, 64});
  const at::Tensor y = at::randn({8, 64});
  auto bare_net = make_mlp();
  const auto bare_parameters = bare_net->parameters();
  AdamW bare_optimizer(bare_parameters, {.lr = kLearningRate});
  int batch = 0;
  const auto bare = [&] {
    (at::mse_loss(bare_net->forward(x), y) / 2).backward();
    if (++batch % 2 == 0) {
      torch::nn::utils::clip_grad_norm_(bare_parameters, 1);
      bare_optimizer.step();
      bare_optimizer.zero_grad();
    }
  };
  auto net = make_mlp();
  const auto parameters = net->parameters();
  auto [model, optimizer] =
      accelerator.prepare(net, AdamW(parameters, {.lr = kLearningRate}));
  const auto wrapped = [&, &prepared = model, &engine = optimizer] {
    const auto micro_batch = accelerator.accumulate(prepared);
    accelerator.backward(at::mse_loss(prepared(x), y));
    if (accelerator.sync_gradients()) {
      accelerator.clip_grad_norm(parameters, {.max_norm = 1});
    }
    engine.step();
    engine.zero_grad();
  };
  return compare(setup, "accumulate_", bare, wrapped);
}

} // namespace

int main(int argc, char** argv) {
  Setup setup;
  CLI::App app("Cost of the wrapper in a step of a tiny MLP");
  app.add_option("--steps", setup.steps)->check(CLI::PositiveNumber);
  app.add_option("--rounds", setup.rounds)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  nlohmann::json result = plain_steps(setup);
  result.update(accumulated_steps(setup));
  result["autocast_guard_us"] = measure(100000, [] {
    const accelerate::AutocastGuard guard(accelerate::Autocast{});
  });
  std::cout << result.dump() << '\n';
  return 0;
}
