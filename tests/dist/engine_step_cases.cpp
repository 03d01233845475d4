// tests/dist/engine_step_cases.cpp: weights of gradients in closed form. The
// gradient of one weight is the mean of its input, so each case knows what it
// has to be.
#include "tests/dist/engine_cases.h"

#include "accelerate/accelerate.h"

namespace accelerate::test {
namespace {

double gradient_of(const torch::nn::Linear& net) {
  const at::Tensor& gradient = net->weight.grad();
  return gradient.defined() ? gradient.item<double>() : 0;
}

/// Two models in one loop over five batches on each rank: batch b of rank r
/// holds 10 r + b, for the second model ten times that.
struct Loop {
  int num_steps;
  bool exact;
  bool sync_each_batch;
};

void run_windows(const Loop& loop) {
  constexpr int kBatches = 5;
  Accelerator accelerator(
      {.gradient_accumulation_steps = loop.num_steps,
       .exact_last_window = loop.exact});
  accelerator.gradient_state().set_sync_each_batch(loop.sync_each_batch);
  const int world = accelerator.num_processes();
  const int rank = accelerator.process_index();
  torch::nn::Linear first = one_weight(), second = one_weight();
  auto [one, other, sgd_one, sgd_other, train] = accelerator.prepare(
      first,
      second,
      SGD(first->parameters(), {.lr = 0}),
      SGD(second->parameters(), {.lr = 0}),
      DataLoader(numbers(kBatches * world), {.batch_size = 1}));
  for (int epoch = 0; epoch < 2; ++epoch) {
    int batch = 0, length = 0;
    double sum = 0;
    for (const Batch& data : train) {
      expect(data["x"].item<int>() == batch * world + rank, "the order");
      // Two blocks in one batch, each counted by itself.
      for (const bool is_first : {true, false}) {
        auto& model = is_first ? one : other;
        auto& sgd = is_first ? sgd_one : sgd_other;
        const auto guard = accelerator.accumulate(model);
        const double factor = is_first ? 1 : 10;
        accelerator.backward(
            model(at::full({2, 1}, factor * (10 * rank + batch))).mean());
        const bool is_last = batch + 1 == kBatches;
        const bool syncs = (batch + 1) % loop.num_steps == 0 || is_last;
        expect(accelerator.sync_gradients() == syncs, "the flag");
        if (is_first) {
          ++length;
          sum += batch;
        }
        const bool exchanged = syncs || loop.sync_each_batch;
        const double ranks = exchanged ? (world - 1) / 2.0 : rank;
        const int divisor = syncs && loop.exact ? length : loop.num_steps;
        expect(
            close(
                gradient_of(is_first ? first : second),
                factor * (10 * ranks * length + sum) / divisor),
            concat("the gradient in batch ", batch, " of ", loop.num_steps));
        sgd.step();
        sgd.zero_grad();
        if (!is_first && syncs) {
          length = 0;
          sum = 0;
        }
      }
      ++batch;
    }
  }
}

/// Three micro-batches of each loader batch are one sum; the last batch ends
/// with its third one, and not with each.
void several_parts_of_one_batch() {
  Accelerator accelerator({.gradient_accumulation_steps = 3});
  torch::nn::Linear net = one_weight();
  auto [model, train] = accelerator.prepare(
      net,
      DataLoader(numbers(2 * accelerator.num_processes()), {.batch_size = 1}));
  for (const Batch& batch : train) {
    for (int part = 0; part < 3; ++part) {
      const auto guard = accelerator.accumulate(model);
      expect(accelerator.sync_gradients() == (part == 2), "the third part");
      accelerator.backward(model(batch["x"].to(at::kFloat).unsqueeze(1)).sum());
    }
  }
}

void windows() {
  const Accelerator keeps_the_group;
  for (const int num_steps : {1, 2, 3, 4, 7}) {
    for (const bool exact : {true, false}) {
      for (const bool sync_each_batch : {false, true}) {
        run_windows({num_steps, exact, sync_each_batch});
      }
    }
  }
  several_parts_of_one_batch();
}

/// Rank r has r + 2 m items in micro-batch m, all of value 10 r + m; none at
/// all on rank 0 in the first one. Losses without items are not a number.
void run_items(int num_steps, bool sync_each_batch) {
  Accelerator accelerator({.gradient_accumulation_steps = num_steps});
  accelerator.gradient_state().set_sync_each_batch(sync_each_batch);
  const int world = accelerator.num_processes();
  const int rank = accelerator.process_index();
  torch::nn::Linear net = one_weight(), bystander = one_weight();
  auto [model, other, sgd] =
      accelerator.prepare(net, bystander, SGD(net->parameters(), {.lr = 0}));
  for (int window = 0; window < 3; ++window) {
    double sum = 0, count = 0;
    for (int micro = 0; micro < num_steps; ++micro) {
      const auto guard = accelerator.accumulate(model);
      const int items = rank + 2 * micro;
      const at::Tensor x = at::full({items, 1}, 10.0 * rank + micro);
      accelerator.backward(model(x).mean(), {.num_items = items});
      for (int r = 0; r < world; ++r) {
        sum += (r + 2 * micro) * (10.0 * r + micro);
        count += r + 2 * micro;
      }
      if (micro + 1 == num_steps || sync_each_batch) {
        const double expected = count > 0 ? sum / count : 0;
        expect(
            close(gradient_of(net), expected),
            concat(
                "the mean over items ",
                expected,
                ", not ",
                gradient_of(net),
                " in micro-batch ",
                micro));
      }
      sgd.step();
      sgd.zero_grad();
    }
  }
}

void items() {
  const Accelerator keeps_the_group;
  for (const int num_steps : {1, 2, 4}) {
    for (const bool sync_each_batch : {false, true}) {
      run_items(num_steps, sync_each_batch);
    }
  }
}

/// Rank r trains r batches more than rank 0; then local steps.
void uneven_training() {
  Accelerator accelerator;
  const int world = accelerator.num_processes();
  const int rank = accelerator.process_index();
  torch::nn::Linear net = one_weight();
  auto [model, sgd, train] = accelerator.prepare(
      net,
      SGD(net->parameters(), {.lr = 1}),
      DataLoader(numbers(2 * world + 1), {.batch_size = 1}));
  double weight = net->weight.item<double>();
  for (int epoch = 0; epoch < 2; ++epoch) {
    auto join = accelerator.join_uneven_inputs({.even_batches = false}, model);
    int batches = 0;
    for (const Batch& batch : train) {
      accelerator.backward(model(batch["x"].to(at::kFloat).unsqueeze(1)).sum());
      sgd.step();
      sgd.zero_grad();
      ++batches;
    }
    expect(batches == (rank == 0 ? 3 : 2), "the shares are not equal");
    join.finish();
    // All of 0 … 2 P once, each divided by the number of ranks.
    weight -= world * (2 * world + 1) / static_cast<double>(world);
    expect(
        close(net->weight.item<double>(), weight), "equal weights at the end");
  }
  std::int64_t batches = 0;
  for ([[maybe_unused]] const Batch& batch : train) {
    ++batches;
  }
  expect(batches == 3, "as many as before on every rank");
  auto local = accelerator.local_sgd(model, {.local_sgd_steps = 2});
  for (int step = 1; step <= 3; ++step) {
    accelerator.backward(model(at::full({1, 1}, 1.0 * rank)).sum());
    sgd.step();
    sgd.zero_grad();
    local.step();
    const bool apart = step % 2 == 1;
    const double moved = apart && world > 1
        ? (world - 1) / 2.0 * (step - 1) + rank
        : (world - 1) / 2.0 * step;
    expect(close(net->weight.item<double>(), weight - moved), "local steps");
  }
  local.finish();
  expect(
      close(net->weight.item<double>(), weight - (world - 1) / 2.0 * 3),
      "the mean at the end");
}

} // namespace

EngineCases engine_step_cases() {
  return {
      {"windows", windows},
      {"items", items},
      {"uneven_training", uneven_training},
  };
}

} // namespace accelerate::test
