// benchmarks/checks_bench.cpp: processor time that the checks of training add
// to a step of a BERT-family model: looking for gradients that are not finite,
// and comparing the parameters of all ranks before every step.
//
//   accelerate launch --cpu --num_processes 2 checks_bench MODEL_FOLDER
//       [--rounds N]
//
// 16 rows of 64 tokens a rank, AdamW. A step without checks and one with each
// take turns. Rank 0 prints one line of JSON: milliseconds, medians over the
// rounds, of the plain step and of the differences to it.
#include <algorithm>
#include <ctime>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "accelerate/accelerator.h"
#include "accelerate/models/auto_model.h"
#include "accelerate/optim/adam.h"
#include "accelerate/state/seed.h"

namespace {

using accelerate::Accelerator;
using accelerate::AcceleratorOptions;
using accelerate::Batch;

constexpr std::int64_t kRows = 16;
constexpr std::int64_t kTokens = 64;
/// Ids of MiniLM's vocabulary that are words.
constexpr std::int64_t kFirstWord = 1000;
constexpr std::int64_t kLastWord = 30000;

double now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) +
      1e-6 * static_cast<double>(now.tv_nsec);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double median_difference(
    std::vector<double> values,
    const std::vector<double>& base) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] -= base[i];
  }
  return median(std::move(values));
}

Batch random_batch() {
  Batch batch;
  batch.set(
      "input_ids",
      at::randint(kFirstWord, kLastWord, {kRows, kTokens}, at::kLong));
  batch.set("attention_mask", at::ones({kRows, kTokens}, at::kLong));
  batch.set("labels", at::arange(kRows, at::kLong).remainder(2));
  return batch;
}

/// One way to train: an Accelerator and a model of its own.
class Training {
 public:
  Training(const AcceleratorOptions& options, const std::string& folder)
      : accelerator_(options),
        net_(accelerate::AutoModelForSequenceClassification::from_pretrained(
            folder,
            {.num_labels = 2})),
        prepared_(accelerator_.prepare(
            net_,
            accelerate::AdamW(net_->parameters(), {.lr = 0}))) {}

  /// Milliseconds of processor time of this rank.
  double step(const Batch& batch) {
    auto& [model, optimizer] = prepared_;
    const double start = now_ms();
    accelerator_.backward(model(batch).loss);
    optimizer.step();
    optimizer.zero_grad();
    return now_ms() - start;
  }

  [[nodiscard]] Accelerator& accelerator() {
    return accelerator_;
  }

 private:
  using Net = accelerate::AutoModelForSequenceClassification;
  Accelerator accelerator_;
  decltype(Net::from_pretrained("")) net_;
  decltype(accelerator_.prepare(
      net_,
      accelerate::AdamW(net_->parameters(), {.lr = 0}))) prepared_;
};

} // namespace

int main(int argc, char** argv) try {
  std::string folder;
  int rounds = 21;
  CLI::App app("Cost of the checks of training in a step");
  app.add_option("MODEL_FOLDER", folder)->required();
  app.add_option("--rounds", rounds)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  accelerate::set_seed(0);
  Training plain({}, folder);
  Training guarded(
      {.nonfinite_gradients = accelerate::NonFiniteGradients::kSkip}, folder);
  Training compared({.compare_parameters_every = 1}, folder);
  const Batch batch = random_batch();
  const std::vector<Training*> sides = {&plain, &guarded, &compared};
  std::vector<std::vector<double>> times(sides.size()); // [side][round]
  for (int round = 0; round <= rounds; ++round) {
    // Who goes first alternates, so that a drift of the clock cancels.
    for (std::size_t place = 0; place < sides.size(); ++place) {
      const std::size_t side =
          (static_cast<std::size_t>(round) + place) % sides.size();
      const double time = sides[side]->step(batch);
      if (round > 0) { // the first one makes what the others use again
        times[side].push_back(time);
      }
    }
  }
  if (plain.accelerator().is_main_process()) {
    const nlohmann::json result = {
        {"plain_ms", median(times[0])},
        {"guard_ms", median_difference(times[1], times[0])},
        {"compare_ms", median_difference(times[2], times[0])}};
    std::cout << result.dump() << '\n';
  }
  plain.accelerator().end_training();
  return 0;
} catch (const std::exception& error) {
  std::cerr << "checks_bench: " << error.what() << '\n';
  return 1;
}
