// tests/dist/engine_ranks.cpp: `engine_ranks CASE`, one rank of a test of the
// Accelerator. Exit status 0: all is as expected.
#include "tests/dist/engine_cases.h"

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include <torch/nn.h>
#include <torch/optim.h>

#include "accelerate/accelerate.h"

namespace {

using namespace accelerate;
using accelerate::test::close;
using accelerate::test::expect;
using accelerate::test::numbers;
using accelerate::test::one_weight;

/// Micro-batch m of rank r holds 10 r + m. Gradients stay on the rank until the
/// last one, whose average over all is the gradient of one batch of everything.
void accumulated_gradients(bool sync_each_batch) {
  constexpr int kSteps = 3;
  Accelerator accelerator({.gradient_accumulation_steps = kSteps});
  accelerator.gradient_state().set_sync_each_batch(sync_each_batch);
  const int rank = accelerator.process_index();
  const double mean_rank = (accelerator.num_processes() - 1) / 2.0;
  torch::nn::Linear net = one_weight();
  auto [model, optimizer] =
      accelerator.prepare(net, SGD(net->parameters(), {.lr = 1}));
  for (int round = 0; round < 3; ++round) {
    const double before = net->weight.item<double>();
    double sum = 0; // of the micro-batches so far
    for (int micro = 0; micro < kSteps; ++micro) {
      const auto guard = accelerator.accumulate(model);
      const bool is_last = micro + 1 == kSteps;
      expect(accelerator.sync_gradients() == is_last, "steps at the last one");
      accelerator.backward(model(at::full({2, 1}, 10.0 * rank + micro)).mean());
      sum += micro;
      const double ranks = is_last || sync_each_batch ? mean_rank : rank;
      expect(
          close(
              net->weight.grad().item<double>(),
              ((micro + 1) * 10 * ranks + sum) / kSteps),
          concat("the gradient after micro-batch ", micro));
      optimizer.step();
      optimizer.zero_grad();
    }
    expect(
        close(
            net->weight.item<double>(),
            before - 10 * mean_rank - (kSteps - 1) / 2.0),
        "one step of the optimiser with the mean of everything");
  }
}

/// Five batches in an epoch, two at a time; the last one ends alone. Schedules
/// of each kind move with the optimiser.
void accumulation_over_epochs() {
  Accelerator accelerator({.gradient_accumulation_steps = 2});
  const int world = accelerator.num_processes();
  torch::nn::Linear net = one_weight();
  SGD sgd(net->parameters(), {.lr = 1});
  auto before = get_scheduler("linear", sgd, {.num_training_steps = 12});
  auto [model, optimizer, counted, bound, train] = accelerator.prepare(
      net,
      sgd,
      before,
      get_scheduler("linear", {.num_training_steps = 12 * world}),
      DataLoader(numbers(5 * world), {.batch_size = 1}));
  Scheduler again = accelerator.prepare(bound);
  auto after = get_scheduler("linear", optimizer, {.num_training_steps = 12});
  int steps = 0;
  for (int epoch = 0; epoch < 2; ++epoch) {
    int batch_number = 0;
    for (const Batch& batch : train) {
      const auto guard = accelerator.accumulate(model);
      ++batch_number;
      const bool syncs = batch_number % 2 == 0 || batch_number == 5;
      expect(accelerator.sync_gradients() == syncs, "the flag");
      accelerator.backward(model(batch["x"].to(at::kFloat).unsqueeze(1)).sum());
      const double weight = net->weight.item<double>();
      optimizer.step();
      expect(syncs || net->weight.item<double>() == weight, "no step between");
      steps += syncs ? 1 : 0;
      for (Scheduler* schedule : {&counted, &again, &after}) {
        schedule->step();
        expect(
            close(optimizer.learning_rate(), 1 - steps / 12.0),
            concat("the rate of each schedule after ", steps, " steps"));
      }
      optimizer.zero_grad();
    }
  }
  expect(steps == 6, "three steps in each epoch");
}

/// The norm and the scaled gradient are the same on all ranks; the gradient is
/// a view into a bucket.
void clipped_gradients() {
  Accelerator accelerator;
  const int rank = accelerator.process_index();
  torch::nn::Linear net = one_weight();
  auto [model, optimizer] =
      accelerator.prepare(net, SGD(net->parameters(), {.lr = 1}));
  for (int step = 0; step < 2; ++step) {
    accelerator.backward(model(at::full({1, 1}, 10.0 * (rank + 1))).sum());
    const double expected = 5.0 * (accelerator.num_processes() + 1);
    const at::Tensor norm =
        accelerator.clip_grad_norm(net->parameters(), {.max_norm = 2});
    expect(close(norm.item<double>(), expected), "the norm before clipping");
    expect(close(net->weight.grad().item<double>(), 2), "the clipped gradient");
    accelerator.clip_grad_value(net->parameters(), 0.5);
    const double weight = net->weight.item<double>();
    optimizer.step();
    expect(close(net->weight.item<double>(), weight - 0.5), "the small step");
    optimizer.zero_grad();
  }
}

/// The last rank alone has a gradient that is not a number, after the exchange:
/// all ranks leave the step out, and go on with one scale.
void skipped_steps() {
  Accelerator accelerator(
      {.mixed_precision = Precision::kFp16,
       .grad_scaler = {.init_scale = 8, .growth_interval = 2}});
  const int world = accelerator.num_processes();
  torch::nn::Linear net = one_weight();
  auto [model, optimizer] =
      accelerator.prepare(net, SGD(net->parameters(), {.lr = 1}));
  Scheduler schedule = lambda_scheduler(optimizer, [](auto) { return 1; });
  const std::vector<double> scales{8, 4, 4, 8};
  for (int step = 0; step < 4; ++step) {
    const bool is_bad = step == 1;
    accelerator.backward(model(at::full({1, 1}, 0.5)).sum());
    if (is_bad && accelerator.process_index() == world - 1) {
      net->weight.mutable_grad().fill_(std::nan(""));
    }
    const double weight = net->weight.item<double>();
    optimizer.step();
    schedule.step();
    optimizer.zero_grad();
    expect(accelerator.optimizer_step_was_skipped() == is_bad, "all skip");
    expect(
        close(net->weight.item<double>(), weight - (is_bad ? 0 : 0.5)),
        "a step of the true gradient, or none");
    expect(
        accelerator.scaler()->current_scale() == scales[step],
        concat("the scale after step ", step));
    expect(schedule.step_count() == (step == 0 ? 1 : step), "it waits");
  }
}

/// Rank 0 has a batch more than the others, which are done and wait for it.
void different_numbers_of_batches() {
  Accelerator accelerator({.dataloader = {.even_batches = false}});
  const int world = accelerator.num_processes();
  torch::nn::Linear net(1, 1);
  auto [model, optimizer, train] = accelerator.prepare(
      net,
      SGD(net->parameters(), {.lr = 0.1}),
      DataLoader(numbers(8 * world + 1), {.batch_size = 4}));
  try {
    for (const Batch& batch : train) {
      const at::Tensor input = batch["x"].to(at::kFloat).unsqueeze(1);
      accelerator.backward(model(input).square().mean());
      optimizer.step();
      optimizer.zero_grad();
    }
    accelerator.wait_for_everyone();
  } catch (const CommError& error) {
    const std::string text = error.what();
    expect(
        text.find("rank 0 exchanges gradients while rank ") < text.size() &&
            text.find(" is in comm.barrier; do the ranks have different "
                      "numbers of batches?") < text.size(),
        concat("both sides in '", text, "'"));
    return;
  }
  expect(world == 1, "an error");
}

/// Linear schedules: rate after step k of n is (1 - k/n), in optimiser steps,
/// or in batches of the unsharded loader for one bound by prepare.
void learning_rates() {
  Accelerator accelerator;
  const int world = accelerator.num_processes();
  constexpr int kSteps = 12;
  torch::nn::Linear net(1, 1);
  auto [model, counted, between, bound] = accelerator.prepare(
      net,
      AdamW(net->parameters(), {.lr = 1.0}),
      std::string("in between"),
      get_scheduler("linear", {.num_training_steps = kSteps * world}));
  for (int step = 1; step <= kSteps + 2; ++step) {
    counted.step();
    bound.step();
    expect(
        close(
            counted.learning_rate(),
            std::max(0.0, 1.0 - static_cast<double>(step) / kSteps)),
        concat("rate of a bound schedule at step ", step));
  }
  torch::optim::SGD sgd(net->parameters(), 1.0);
  auto optimizer = accelerator.prepare(sgd);
  auto schedule =
      get_scheduler("constant_with_warmup", optimizer, {.num_warmup_steps = 4});
  for (int step = 1; step <= 6; ++step) {
    optimizer.step();
    schedule.step();
    expect(
        close(optimizer.learning_rate(), std::min(1.0, step / 4.0)),
        concat("rate in optimiser steps at step ", step));
  }
}

/// Every rank takes rank 0's weights and order, and ends with equal weights,
/// which are those of one process with the whole batch.
void training_equals_one_process() {
  Accelerator accelerator;
  const int world = accelerator.num_processes();
  constexpr std::int64_t kBatch = 3;
  const auto make = [] {
    return torch::nn::Sequential(
        torch::nn::Linear(1, 4), torch::nn::Tanh(), torch::nn::Linear(4, 1));
  };
  set_seed(5, SeedScope::kPerRank); // ranks start from different weights
  torch::nn::Sequential net = make();
  torch::manual_seed(5);
  torch::nn::Sequential whole = make();
  torch::optim::SGD whole_sgd(whole->parameters(), 0.1);

  const auto data = numbers(kBatch * world * 4);
  auto [model, optimizer, train] = accelerator.prepare(
      net,
      SGD(net->parameters(), {.lr = 0.1}),
      DataLoader(data, {.batch_size = kBatch}));
  const auto loss_of = [](auto& forward, const at::Tensor& x) {
    const at::Tensor input = x.to(at::kFloat).unsqueeze(1) / 10;
    return (forward(input) - input.square()).square().mean();
  };
  auto whole_forward = [&](const at::Tensor& x) { return whole->forward(x); };
  for (const Batch& batch : train) {
    accelerator.backward(loss_of(model, batch["x"]));
    optimizer.step();
    optimizer.zero_grad();
    loss_of(whole_forward, accelerator.gather(batch["x"])).backward();
    whole_sgd.step();
    whole_sgd.zero_grad();
  }
  for (std::size_t i = 0; i < net->parameters().size(); ++i) {
    expect(
        at::allclose(net->parameters()[i], whole->parameters()[i], 1e-5, 1e-6),
        concat("parameter ", i, " as in one process"));
  }
}

void who_does_what() {
  Accelerator accelerator;
  const int rank = accelerator.process_index();
  const int world = accelerator.num_processes();
  const auto here = accelerator.on_last_process([&] { return rank; });
  expect(here.has_value() == (rank == world - 1), "on_last_process");
  int order = 0;
  accelerator.main_process_first([&] { order = rank; });
  expect(order == rank, "main_process_first runs everywhere");
  const std::vector<int> items{0, 1, 2, 3, 4, 5, 6};
  const auto mine = accelerator.split_between_processes(items);
  const auto sizes = accelerator.gather_json(std::to_string(mine.size()));
  int total = 0;
  for (const std::string& size : sizes) {
    total += std::stoi(size);
  }
  expect(total == 7, "split_between_processes covers everything");
  if (rank == world - 1) {
    accelerator.set_trigger();
  }
  expect(accelerator.check_trigger(), "a trigger reaches every rank");
  expect(!accelerator.check_trigger(), "a trigger is lowered by the check");
}

void optimiser_of_another_model() {
  Accelerator accelerator;
  torch::nn::Linear net(2, 1), other(2, 1);
  try {
    (void)accelerator.prepare(net, AdamW(other->parameters()));
  } catch (const ConfigError& error) {
    const int world = accelerator.num_processes();
    const bool names_rank =
        std::string(error.what()).find("(rank ") != std::string::npos;
    expect(names_rank == (world > 1), "the message names the rank");
    return;
  }
  expect(false, "an error");
}

/// Rank 1 leaves the loop for a very long pause after three steps; the others
/// wait for its gradients.
void rank_that_hangs() {
  Accelerator accelerator;
  torch::nn::Linear net = one_weight();
  auto [model, optimizer] =
      accelerator.prepare(net, SGD(net->parameters(), {.lr = 1}));
  for (int step = 0;; ++step) {
    if (step == 3 && accelerator.process_index() == 1) {
      std::this_thread::sleep_for(std::chrono::minutes(5));
    }
    accelerator.backward(model(at::ones({2, 1})).mean());
    optimizer.step();
    optimizer.zero_grad();
  }
}

} // namespace

int main(int argc, char** argv) {
  accelerate::test::EngineCases cases{
      {"accumulation", [] { accumulated_gradients(false); }},
      {"accumulation_in_step", [] { accumulated_gradients(true); }},
      {"accumulation_over_epochs", accumulation_over_epochs},
      {"clipping", clipped_gradients},
      {"skipped_steps", skipped_steps},
      {"uneven_batches", different_numbers_of_batches},
      {"learning_rates", learning_rates},
      {"training", training_equals_one_process},
      {"who", who_does_what},
      {"hang", rank_that_hangs},
      {"foreign_optimiser", optimiser_of_another_model},
  };
  cases.merge(accelerate::test::engine_data_cases());
  cases.merge(accelerate::test::engine_step_cases());
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
