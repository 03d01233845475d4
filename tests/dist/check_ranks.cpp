// tests/dist/check_ranks.cpp: `check_ranks CASE`, one rank of a test of what
// looks after a training: guards, comparisons, memory. Exit status 0: all is as
// expected.
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <new>
#include <string>
#include <tuple>
#include <vector>

#include <torch/nn.h>

#include "accelerate/accelerate.h"
#include "accelerate/comm/debug_mode.h"
#include "accelerate/step/activation_checkpoint.h"

namespace {

using namespace accelerate;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

void expect(bool condition, const std::string& what) {
  if (!condition) {
    throw std::runtime_error("expected: " + what);
  }
}

template <typename Error, typename F>
void expect_throws(const std::vector<std::string>& parts, F&& f) {
  try {
    f();
  } catch (const Error& error) {
    for (const std::string& part : parts) {
      expect(
          std::string(error.what()).find(part) != std::string::npos,
          concat("'", part, "' in '", error.what(), "'"));
    }
    return;
  }
  expect(false, concat("an error with '", parts.front(), "'"));
}

/// Two layers, the first in a checkpoint or not.
struct NetImpl : torch::nn::Module {
  explicit NetImpl(bool folds = false) : is_folded(folds) {
    first = register_module("first", torch::nn::Linear(3, 8));
    second = register_module("second", torch::nn::Linear(8, 1));
    const at::NoGradGuard no_grad;
    for (const at::Tensor& parameter : parameters()) {
      parameter.copy_(
          (at::arange(parameter.numel()).view(parameter.sizes()) * 0.7).sin());
    }
  }
  at::Tensor forward(const at::Tensor& x) {
    const auto half = [this](const at::Tensor& h) { return first(h).tanh(); };
    return second(is_folded ? checkpoint(half, x) : half(x));
  }

  bool is_folded;
  torch::nn::Linear first{nullptr}, second{nullptr};
};
TORCH_MODULE(Net);

at::Tensor input(const Accelerator& accelerator, double factor = 1) {
  return at::full({2, 3}, factor * (accelerator.process_index() + 1));
}

bool is_last(const Accelerator& accelerator) {
  return accelerator.is_last_process();
}

/// A gradient that is not a number on the last rank only.
void nonfinite_gradient(NonFiniteGradients action, int accumulation) {
  Accelerator accelerator(
      {.gradient_accumulation_steps = accumulation,
       .nonfinite_gradients = action});
  Net net;
  SGD sgd(net->parameters(), {.lr = 0.1});
  auto handles = accelerator.prepare(net, sgd);
  auto& model = std::get<0>(handles);
  auto& optimizer = std::get<1>(handles);
  const auto step = [&](double factor) {
    for (int i = 0; i < accumulation; ++i) {
      const auto micro_batch = accelerator.accumulate(model);
      const double here = i == 0 && is_last(accelerator) ? factor : 1;
      accelerator.backward(model(input(accelerator, here)).sum());
      optimizer.step();
      optimizer.zero_grad();
    }
  };
  step(1);
  expect(!accelerator.optimizer_step_was_skipped(), "a healthy step is made");
  const at::Tensor before = net->first->weight.detach().clone();
  const std::string words = concat(
      "'first.weight' holds not-a-number on rank ",
      accelerator.num_processes() - 1);
  if (action == NonFiniteGradients::kRaise) {
    expect_throws<ConfigError>({words}, [&] { step(kNan); });
    expect(at::equal(before, net->first->weight), "weights stay");
    return;
  }
  step(kNan);
  if (action == NonFiniteGradients::kWarn) {
    expect(net->first->weight.isnan().any().item<bool>(), "the step is made");
    return;
  }
  expect(accelerator.optimizer_step_was_skipped(), "the step is left out");
  expect(at::equal(before, net->first->weight), "weights stay");
  step(1);
  expect(!accelerator.optimizer_step_was_skipped(), "the next step is made");
  expect(!at::equal(before, net->first->weight), "weights change again");
}

/// A norm that is known to be finite saves the look at the gradients of one
/// process; one that is not does not.
void nonfinite_after_clip() {
  Accelerator accelerator({.nonfinite_gradients = NonFiniteGradients::kSkip});
  Net net;
  SGD sgd(net->parameters(), {.lr = 0.1});
  auto handles = accelerator.prepare(net, sgd);
  auto& model = std::get<0>(handles);
  auto& optimizer = std::get<1>(handles);
  for (const double factor : {1.0, kNan, 1.0}) {
    accelerator.backward(model(input(accelerator, factor)).sum());
    (void)accelerator.clip_grad_norm(net->parameters());
    optimizer.step();
    optimizer.zero_grad();
    expect(
        accelerator.optimizer_step_was_skipped() == (factor != 1.0),
        "only the bad step is left out");
  }
}

/// Every second step is compared, however many optimisers make one.
void drifting_parameters(int num_optimizers) {
  Accelerator accelerator({.compare_parameters_every = 2});
  const int world = accelerator.num_processes();
  std::vector<Net> nets;
  std::vector<std::function<void()>> trainings;
  for (int i = 0; i < num_optimizers; ++i) {
    const Net& net = nets.emplace_back();
    auto handles =
        accelerator.prepare(net, SGD(net->parameters(), {.lr = 0.1}));
    trainings.emplace_back([&accelerator, handles]() mutable {
      auto& [model, optimizer] = handles;
      accelerator.backward(model(input(accelerator)).sum());
      optimizer.step();
      optimizer.zero_grad();
    });
  }
  const auto step = [&] {
    for (const auto& training : trainings) {
      training();
    }
  };
  step(); // compared
  step();
  step(); // compared
  if (accelerator.process_index() == 1) {
    const at::NoGradGuard no_grad;
    nets.front()->second->weight.add_(1e-6);
  }
  step();
  if (world == 1) {
    step();
    return;
  }
  expect_throws<DisagreementError>(
      {"[step.check_parameters] parameter 'second.weight'",
       world == 2 ? "ranks 0, 1 differ from each other"
                  : "rank 1 differs from the others"},
      step);
  accelerator.wait_for_everyone(); // the group is still usable
}

/// Where the last rank runs out of memory.
enum class Place { kGather, kForward, kBackward, kEnd };

void try_to_train(Accelerator& accelerator, Place place, bool fails) {
  const auto run_out = [&](Place here) {
    if (fails && here == place) {
      throw std::bad_alloc();
    }
  };
  accelerator.free_memory();
  Net net;
  SGD sgd(net->parameters(), {.lr = 0.1});
  auto handles = accelerator.prepare(net, sgd);
  auto& model = std::get<0>(handles);
  auto& optimizer = std::get<1>(handles);
  for (int i = 0; i < 3; ++i) {
    const bool is_late = i == 2;
    if (is_late) {
      run_out(Place::kForward);
      net->first->weight.register_hook([&](const at::Tensor& gradient) {
        run_out(Place::kBackward);
        return gradient;
      });
    }
    accelerator.backward(model(input(accelerator)).sum());
    optimizer.step();
    optimizer.zero_grad();
  }
  run_out(Place::kGather);
  (void)accelerator.gather(at::ones({2}));
  run_out(Place::kEnd);
}

void batch_size_that_fits() {
  Accelerator accelerator({.ddp = {.bucket_cap_mb = 1e-5}});
  for (const Place place :
       {Place::kGather, Place::kForward, Place::kBackward, Place::kEnd}) {
    std::vector<std::int64_t> sizes;
    const auto found = accelerator.find_executable_batch_size(
        [&](std::int64_t size) {
          sizes.push_back(size);
          try_to_train(accelerator, place, size > 50 && is_last(accelerator));
        },
        {.starting_batch_size = 64});
    expect(found == 45, concat("45 fits, got ", found));
    expect(
        sizes == std::vector<std::int64_t>{64, 57, 51, 45},
        "all ranks try the same sizes");
  }
  expect_throws<std::logic_error>({"another error"}, [&] {
    accelerator.find_executable_batch_size(
        [](std::int64_t) { throw std::logic_error("another error"); });
  });
  expect_throws<ConfigError>({"any batch size from 3 down"}, [&] {
    accelerator.find_executable_batch_size(
        [](std::int64_t) { throw std::bad_alloc(); },
        {.starting_batch_size = 3,
         .reduce_batch_size = [](std::int64_t size) { return size - 1; }});
  });
  if (accelerator.num_processes() > 1) {
    // Ranks that search in different places are no lack of memory.
    const std::int64_t start = is_last(accelerator) ? 16 : 8;
    expect_throws<DisagreementError>(
        {"done with batch size 8", "done with batch size 16"}, [&] {
          accelerator.find_executable_batch_size(
              [](std::int64_t) {}, {.starting_batch_size = start});
        });
  }
  accelerator.wait_for_everyone();
}

/// A checkpoint changes neither gradients nor what the exchange sees of them.
void checkpoint_in_a_model() {
  Accelerator accelerator(
      {.gradient_accumulation_steps = 2, .ddp = {.bucket_cap_mb = 1e-5}});
  std::vector<std::vector<at::Tensor>> weights;
  for (const bool folds : {false, true}) {
    Net net(folds);
    SGD sgd(net->parameters(), {.lr = 0.1});
    auto handles = accelerator.prepare(net, sgd);
    auto& model = std::get<0>(handles);
    auto& optimizer = std::get<1>(handles);
    for (int i = 0; i < 6; ++i) {
      const auto micro_batch = accelerator.accumulate(model);
      accelerator.backward(model(input(accelerator, 0.1 * i)).sum());
      optimizer.step();
      optimizer.zero_grad();
    }
    weights.push_back(accelerator.gather(net->parameters()));
    accelerator.free_memory();
  }
  for (std::size_t i = 0; i < weights[0].size(); ++i) {
    expect(at::equal(weights[0][i], weights[1][i]), "equal weights");
  }
}

} // namespace

int main(int argc, char** argv) {
  using enum NonFiniteGradients;
  const std::map<std::string, std::function<void()>> cases{
      {"nonfinite",
       [] {
         const Accelerator keeps_the_group;
         for (const int accumulation : {1, 2}) {
           for (const auto action : {kSkip, kWarn, kRaise}) {
             nonfinite_gradient(action, accumulation);
           }
         }
         nonfinite_after_clip();
       }},
      {"drift",
       [] {
         const Accelerator keeps_the_group;
         drifting_parameters(1);
         drifting_parameters(2);
       }},
      {"batch_size", batch_size_that_fits},
      {"checkpoint", checkpoint_in_a_model},
  };
  const auto found = cases.find(argc == 2 ? argv[1] : "");
  if (found == cases.end()) {
    return 64;
  }
  try {
    found->second();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
