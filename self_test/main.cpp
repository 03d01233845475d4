// self_test/main.cpp: the program that `accelerate test` launches: is this
// world fit for training? One line per check; exits 1 when one fails.
//
//   accelerate launch --cpu --num_processes 2 accelerate-self-test
//
// prints:
//   ok      topology
//   ok      collectives
//   …
#include <torch/nn.h>
#include <torch/optim.h>

#include <accelerate/accelerate.h>
#include <accelerate/data/synchronize_rng.h>

#include <cmath>
#include <cstdio>
#include <functional>

#include "self_test/checks.h"

namespace accelerate::self_test {
namespace {

constexpr std::int64_t kBatch = 3;

/// Sample i is (i, its point, its value).
struct Points {
  std::size_t count;

  std::size_t size() const {
    return count;
  }
  Batch get(std::size_t index) const {
    const auto i = static_cast<double>(index);
    const at::Tensor x =
        torch::tensor({std::sin(i), std::cos(2 * i)}, torch::kDouble);
    return {
        {"index", torch::tensor(static_cast<std::int64_t>(index))},
        {"x", x},
        {"y", (x * x).sum(0, true)}};
  }
};

std::vector<std::int64_t> numbers(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.cpu().to(at::kLong).contiguous();
  const auto* data = flat.const_data_ptr<std::int64_t>();
  return {data, data + flat.numel()};
}

at::Tensor on_device(const Accelerator& accelerator, const at::Tensor& value) {
  return value.to(accelerator.device());
}

std::string check_topology(const Accelerator& accelerator) {
  const at::Tensor mine = on_device(
      accelerator, torch::full({1}, accelerator.process_index(), torch::kLong));
  return ranks_problem(
      numbers(accelerator.gather(mine)), accelerator.num_processes());
}

std::string check_collectives(const Accelerator& accelerator) {
  const int world = accelerator.num_processes();
  const double rank = accelerator.process_index();
  const at::Tensor base =
      on_device(accelerator, torch::arange(5, torch::kDouble));
  const double sum_of_ranks = world * (world - 1) / 2.0;
  const std::pair<const char*, std::string> outcomes[] = {
      {"sum",
       values_problem(
           accelerator.reduce(base + rank, Reduction::kSum),
           base * world + sum_of_ranks,
           0)},
      {"mean",
       values_problem(
           accelerator.reduce(base + rank, Reduction::kMean),
           base + sum_of_ranks / world,
           1e-12)},
      {"broadcast",
       values_problem(
           accelerator.broadcast(base + rank, world - 1), base + world - 1, 0)},
      {"gather",
       values_problem(
           accelerator.gather(base + rank).reshape({world, 5}),
           base +
               on_device(accelerator, torch::arange(world, torch::kDouble))
                   .unsqueeze(1),
           0)}};
  for (const auto& [name, problem] : outcomes) {
    if (!problem.empty()) {
      return concat(name, ": ", problem);
    }
  }
  return "";
}

std::string check_sharding(Accelerator& accelerator) {
  const int world = accelerator.num_processes();
  // One sample more than fills the batches.
  const std::int64_t samples = kBatch * world * 2 + 1;
  DataLoader loader(
      Points{static_cast<std::size_t>(samples)}, {.batch_size = kBatch});
  auto prepared = accelerator.prepare(loader);
  std::vector<std::int64_t> seen;
  std::int64_t batches = 0;
  for (const Batch& batch : prepared) {
    const auto more = numbers(accelerator.gather_for_metrics(batch["index"]));
    seen.insert(seen.end(), more.begin(), more.end());
    ++batches;
  }
  const at::Tensor counts = accelerator.gather(
      on_device(accelerator, torch::full({1}, batches, torch::kLong)));
  return sharding_problem(std::move(seen), numbers(counts), samples);
}

std::string check_random_numbers(const Accelerator& accelerator) {
  const auto drawn = [&] {
    const at::Tensor mine = on_device(accelerator, torch::rand({4}));
    return agreement_problem(
        accelerator.gather(mine).reshape({accelerator.num_processes(), 4}));
  };
  set_seed(7);
  if (const auto problem = drawn(); !problem.empty()) {
    return "after set_seed: " + problem;
  }
  set_seed(100 + static_cast<std::uint64_t>(accelerator.process_index()));
  const RngType types[] = {RngType::kTorch};
  synchronize_rng_states(accelerator.process_group(), types);
  const auto problem = drawn();
  return problem.empty() ? "" : "after synchronize_rng_states: " + problem;
}

torch::nn::Linear start_model(const c10::Device& device) {
  torch::nn::Linear model(torch::nn::LinearOptions(2, 1));
  model->to(device, torch::kDouble);
  torch::NoGradGuard guard;
  model->weight.fill_(0.5);
  model->bias.fill_(-0.25);
  return model;
}

/// The steps of a single process on the batches of all ranks together.
torch::nn::Linear train_alone(const c10::Device& device, int world, int steps) {
  torch::nn::Linear model = start_model(device);
  torch::optim::SGD sgd(model->parameters(), 0.1);
  const Points points{0};
  for (int step = 0; step < steps; ++step) {
    std::vector<at::Tensor> x;
    std::vector<at::Tensor> y;
    for (std::int64_t i = 0; i < kBatch * world; ++i) {
      const Batch sample =
          points.get(static_cast<std::size_t>(step * kBatch * world + i));
      x.push_back(sample["x"]);
      y.push_back(sample["y"]);
    }
    sgd.zero_grad();
    (model(torch::stack(x).to(device)) - torch::stack(y).to(device))
        .square()
        .mean()
        .backward();
    sgd.step();
  }
  return model;
}

std::string check_training(Accelerator& accelerator) {
  constexpr int kSteps = 4;
  const int world = accelerator.num_processes();
  torch::nn::Linear net = start_model(accelerator.device());
  torch::optim::SGD sgd(net->parameters(), 0.1);
  DataLoader loader(
      Points{static_cast<std::size_t>(kBatch * world * kSteps)},
      {.batch_size = kBatch});
  auto [model, optimizer, batches] = accelerator.prepare(net, sgd, loader);
  for (const Batch& batch : batches) {
    const auto loss = (model(batch["x"]) - batch["y"]).square().mean();
    accelerator.backward(loss);
    optimizer.step();
    optimizer.zero_grad();
  }
  const torch::nn::Linear alone =
      train_alone(accelerator.device(), world, kSteps);
  // In float64 only the order of the sums differs.
  const auto weight = values_problem(net->weight, alone->weight, 1e-9);
  return weight.empty() ? values_problem(net->bias, alone->bias, 1e-9) : weight;
}

/// Prints one line; every rank gets the same answer.
bool passes(
    const Accelerator& accelerator,
    const char* name,
    const std::string& problem) {
  // Escapes are not needed: problems hold numbers and plain words.
  const auto all = accelerator.gather_json(concat("[\"", problem, "\"]"));
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank] != "[\"\"]") {
      accelerator.print("FAILED  ", name, ": rank ", rank, ": ", all[rank]);
      return false;
    }
  }
  accelerator.print("ok      ", name);
  return true;
}

int run() {
  Accelerator accelerator;
  const std::pair<const char*, std::function<std::string()>> checks[] = {
      {"topology", [&] { return check_topology(accelerator); }},
      {"collectives", [&] { return check_collectives(accelerator); }},
      {"data sharding", [&] { return check_sharding(accelerator); }},
      {"random numbers", [&] { return check_random_numbers(accelerator); }},
      {"training equal to one process",
       [&] { return check_training(accelerator); }}};
  bool all_pass = true;
  for (const auto& [name, check] : checks) {
    all_pass = passes(accelerator, name, check()) && all_pass;
  }
  accelerator.print(
      all_pass ? "all checks passed" : "some checks failed",
      " on ",
      accelerator.num_processes(),
      accelerator.num_processes() == 1 ? " process, device "
                                       : " processes, device ",
      accelerator.device());
  accelerator.end_training();
  return all_pass ? 0 : 1;
}

} // namespace
} // namespace accelerate::self_test

int main() {
  try {
    return accelerate::self_test::run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "accelerate-self-test: %s\n", error.what());
    return 1;
  }
}
