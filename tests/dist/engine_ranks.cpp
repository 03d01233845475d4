// tests/dist/engine_ranks.cpp: `engine_ranks CASE`, one rank of a test of the
// Accelerator. Exit status 0: all is as expected.
#include <cstdio>
#include <functional>
#include <map>
#include <numeric>
#include <string>

#include <torch/nn.h>
#include <torch/optim.h>

#include "accelerate/accelerate.h"

namespace {

using namespace accelerate;

void expect(bool condition, const std::string& what) {
  if (!condition) {
    throw std::runtime_error("expected: " + what);
  }
}

Dataset numbers(std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return Dataset(
      Table(std::vector<Table::Entry>{{"x", Column::of(std::move(values))}}));
}

/// Each sample once, whatever the tail: empty shards and data smaller than the
/// world included.
void metrics_see_every_sample_once() {
  Accelerator accelerator;
  for (const std::int64_t count : {1, 2, 3, 5, 7, 8, 16, 17, 31}) {
    for (const bool shuffle : {false, true}) {
      auto loader = accelerator.prepare(
          DataLoader(numbers(count), {.batch_size = 4, .shuffle = shuffle}));
      std::vector<std::int64_t> seen;
      for (const Batch& batch : loader) {
        const at::Tensor all = accelerator.gather_for_metrics(batch["x"]);
        for (std::int64_t i = 0; i < all.numel(); ++i) {
          seen.push_back(all[i].item<std::int64_t>());
        }
      }
      std::sort(seen.begin(), seen.end());
      std::vector<std::int64_t> expected(static_cast<std::size_t>(count));
      std::iota(expected.begin(), expected.end(), 0);
      expect(
          seen == expected,
          concat("each of ", count, " samples once, got ", seen.size()));
    }
  }
}

/// The same, nested, and when ranks have different numbers of rows.
void metrics_of_uneven_batches() {
  Accelerator accelerator({.dataloader = {.even_batches = false}});
  // One full round, and a last batch of one sample for rank 0 alone: only
  // whole rounds are gathered here, the tail is counted by reduce.
  const int world = accelerator.num_processes();
  auto loader = accelerator.prepare(
      DataLoader(numbers(4 * world - 1), {.batch_size = 4}));
  std::int64_t rows = 0;
  for (const Batch& batch : loader) {
    const auto [x, twice] = accelerator.gather_for_metrics(
        std::pair(batch["x"], std::vector{batch["x"] * 2}));
    expect(at::equal(x * 2, twice[0]), "leaves stay together");
    rows += x.numel();
  }
  expect(rows == 4 * world - 1, "short batches are gathered as they are");
}

/// What scripts pass to metrics besides one row per sample.
void metrics_of_other_shapes() {
  Accelerator accelerator;
  const int rank = accelerator.process_index();
  const int world = accelerator.num_processes();
  const at::Tensor ranks = at::arange(world);
  for (const std::int64_t count :
       {1, 4 * world + 1, 4 * world + 5, 8 * world}) {
    auto loader =
        accelerator.prepare(DataLoader(numbers(count), {.batch_size = 4}));
    for (const Batch& batch : loader) {
      const at::Tensor valid = accelerator.gather(
          at::full({1}, accelerator.gradient_state().valid_samples()));
      const auto [loss, single, repeated, x] =
          accelerator.gather_for_metrics(std::tuple(
              at::full({}, rank),
              at::full({1}, rank),
              at::full({4}, rank),
              batch["x"]));
      expect(at::equal(loss, ranks), "one value of each rank");
      const bool per_sample = valid.max().item<std::int64_t>() <= 1;
      expect(
          single.numel() ==
              (per_sample ? valid.sum().item<std::int64_t>() : world),
          "one row of each rank unless that may be its one sample");
      expect(
          at::equal(repeated, at::repeat_interleave(ranks, valid)),
          "a repeated loss once for each sample");
      expect(x.numel() == repeated.numel(), "as many as samples");
      const bool is_full = valid.min().item<std::int64_t>() == 4;
      const at::Tensor words = at::full({8}, rank);
      expect(
          accelerator.gather_for_metrics(words).numel() ==
              (is_full ? 8 * world : valid.sum().item<std::int64_t>()),
          "two rows for each sample, unless samples are repeated");
    }
  }
  expect(
      accelerator.gather_for_metrics(at::full({rank + 1}, rank)).numel() ==
          world * (world + 1) / 2,
      "all rows of ranks with different numbers of them");
}

/// Every rank learns who passed what.
void metrics_that_disagree() {
  Accelerator accelerator;
  if (accelerator.num_processes() == 1) {
    return;
  }
  const std::vector<at::Tensor> mine(
      accelerator.is_main_process() ? 1 : 2, at::ones({2}));
  try {
    (void)accelerator.gather_for_metrics(mine);
  } catch (const CommError& error) {
    expect(
        std::string(error.what())
                .find("rank 0 passes 1 tensors and rank 1 passes 2") !=
            std::string::npos,
        concat("both sides in ", error.what()));
    accelerator.wait_for_everyone(); // the group still works
    return;
  }
  expect(false, "an error");
}

bool close(double a, double b) {
  return std::abs(a - b) < 1e-5;
}

/// A model of one weight, whose gradient is the mean of its input.
torch::nn::Linear one_weight() {
  return torch::nn::Linear(torch::nn::LinearOptions(1, 1).bias(false));
}

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

/// Seeds differ between ranks, the order of a shuffled epoch does not.
void shuffles_with_the_seed_of_rank_0() {
  Accelerator accelerator;
  set_seed(11, SeedScope::kPerRank);
  auto loader = accelerator.prepare(
      DataLoader(numbers(24), {.batch_size = 2, .shuffle = true}));
  at::Tensor sum = at::zeros({1}, at::kLong);
  for (const Batch& batch : loader) {
    sum += accelerator.reduce(batch["x"].sum().unsqueeze(0));
  }
  expect(sum.item<std::int64_t>() == 23 * 24 / 2, "shares do not overlap");
  // A seed of the job replaces those of the loaders.
  Accelerator seeded({.dataloader = {.data_seed = 3}});
  auto other = seeded.prepare(DataLoader(
      numbers(24),
      {.shuffle = true, .seed = accelerator.process_index() + 8U}));
  expect(other.seed() == 3, "the seed of the job");
}

/// Rank 0 reads streams, unless every rank is asked to.
void streams_are_read_by_rank_0() {
  struct Numbers {
    void restart(std::int64_t /*epoch*/) {
      next_number = 0;
    }
    std::optional<Example> next() {
      ++reads;
      return next_number == 9 ? std::nullopt
                              : std::optional(Example{{"x", next_number++}});
    }
    std::int64_t next_number = 0;
    int reads = 0;
  };
  const Accelerator keeps_the_group;
  for (const bool is_default : {true, false}) {
    Accelerator accelerator(
        {.cpu = true,
         .dataloader = {
             .dispatch_batches =
                 is_default ? std::nullopt : std::optional(false)}});
    Numbers stream;
    auto loader = accelerator.prepare(DataLoader(stream, {.batch_size = 2}));
    std::vector<std::string> seen;
    for (const Batch& batch : loader) {
      std::vector<std::string> mine;
      for (std::int64_t i = 0; i < batch.num_samples(); ++i) {
        mine.push_back(std::to_string(batch["x"][i].item<std::int64_t>()));
      }
      const auto more = accelerator.gather_json_for_metrics(mine);
      seen.insert(seen.end(), more.begin(), more.end());
    }
    std::sort(seen.begin(), seen.end());
    const std::vector<std::string> all{
        "0", "1", "2", "3", "4", "5", "6", "7", "8"};
    expect(seen == all, "every sample once");
    expect(
        (stream.reads > 0) == (accelerator.is_main_process() || !is_default),
        "who reads");
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

} // namespace

int main(int argc, char** argv) {
  const std::map<std::string, std::function<void()>> cases{
      {"metrics", metrics_see_every_sample_once},
      {"uneven_metrics", metrics_of_uneven_batches},
      {"other_metrics", metrics_of_other_shapes},
      {"disagreeing_metrics", metrics_that_disagree},
      {"accumulation", [] { accumulated_gradients(false); }},
      {"accumulation_in_step", [] { accumulated_gradients(true); }},
      {"accumulation_over_epochs", accumulation_over_epochs},
      {"clipping", clipped_gradients},
      {"skipped_steps", skipped_steps},
      {"uneven_batches", different_numbers_of_batches},
      {"learning_rates", learning_rates},
      {"training", training_equals_one_process},
      {"shuffle", shuffles_with_the_seed_of_rank_0},
      {"streams", streams_are_read_by_rank_0},
      {"who", who_does_what},
      {"foreign_optimiser", optimiser_of_another_model},
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
