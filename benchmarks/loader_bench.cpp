// benchmarks/loader_bench.cpp: samples per second of the loader on tokenised
// data in memory; prints one line of JSON.
//   loader_bench --samples 100000 --length 128 --batch_size 32 --rounds 5
//   accelerate launch --num_processes 2 loader_bench --mode dispatch
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "accelerate/accelerator.h"

namespace {

struct Arguments {
  std::int64_t samples = 100'000;
  std::int64_t length = 128;
  std::int64_t batch_size = 32;
  int workers = 0;
  int rounds = 5;
  bool shuffle = false;
  bool ragged = false;
  std::string mode = "map";
};

/// The rows of a dataset, read from the beginning.
struct Rows {
  accelerate::Dataset dataset;
  std::int64_t position = 0;

  void restart(std::int64_t /*epoch*/) {
    position = 0;
  }
  std::optional<accelerate::Example> next() {
    return position == dataset.size() ? std::nullopt
                                      : std::optional(dataset[position++]);
  }
};

/// Batches that a sampler lists one by one.
class Listed final : public accelerate::BatchSampler {
 public:
  explicit Listed(const Arguments& arguments) {
    for (std::int64_t i = 0; i < arguments.samples; ++i) {
      if (i % arguments.batch_size == 0) {
        batches_.emplace_back();
      }
      batches_.back().push_back(i);
    }
  }
  accelerate::IndexBatches batches(std::int64_t /*epoch*/) const override {
    return batches_;
  }

 private:
  accelerate::IndexBatches batches_;
};

/// Token ids of a vocabulary of 30,522; with `ragged` between half of the
/// length and the length, padded by the loader.
accelerate::Dataset make_dataset(const Arguments& arguments) {
  accelerate::ColumnBuilder ids(accelerate::ColumnKind::kInt64List);
  std::vector<std::int32_t> sample;
  for (std::int64_t i = 0; i < arguments.samples; ++i) {
    const std::int64_t length = arguments.ragged
        ? arguments.length - i * 7919 % (arguments.length / 2 + 1)
        : arguments.length;
    sample.resize(static_cast<std::size_t>(length));
    for (std::size_t token = 0; token < sample.size(); ++token) {
      sample[token] = static_cast<std::int32_t>(
          (static_cast<std::size_t>(i) * 31 + token * 17) % 30522);
    }
    ids.append(std::span<const std::int32_t>(sample));
  }
  return accelerate::Dataset(accelerate::Table({{"input_ids", ids.finish()}}));
}

/// Samples per second of one pass, by the clock on the wall and by the time
/// that all threads of this process spent on a core.
struct Rates {
  double wall = 0;
  double cpu = 0;
};

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

accelerate::DataLoader make_loader(const Arguments& arguments) {
  accelerate::Dataset dataset = make_dataset(arguments);
  accelerate::DataLoaderOptions options{
      .batch_size = arguments.batch_size,
      .shuffle = arguments.shuffle,
      .seed = 0,
      .collate =
          arguments.ragged ? accelerate::pad_to_longest() : accelerate::stack(),
      .num_workers = arguments.workers};
  if (arguments.mode == "stream") {
    return accelerate::DataLoader(Rows{std::move(dataset)}, options);
  }
  if (arguments.mode == "batches") {
    options.batch_size = 1;
    options.batch_sampler = std::make_shared<Listed>(arguments);
  }
  return accelerate::DataLoader(std::move(dataset), options);
}

/// One pass of this rank.
Rates measure(const accelerate::DataLoader& loader, std::int64_t& checksum) {
  const auto start = std::chrono::steady_clock::now();
  const double cpu_start = cpu_seconds();
  std::int64_t samples = 0;
  for (const accelerate::Batch& batch : loader) {
    const at::Tensor& ids = batch["input_ids"];
    samples += ids.size(0);
    checksum += *ids.const_data_ptr<std::int64_t>();
  }
  const std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - start;
  const auto count = static_cast<double>(samples);
  return {
      .wall = count / seconds.count(),
      .cpu = count / (cpu_seconds() - cpu_start)};
}

} // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Samples per second of the loader on tokenised data in memory");
  app.add_option("--samples", arguments.samples)->check(CLI::PositiveNumber);
  app.add_option("--length", arguments.length)->check(CLI::PositiveNumber);
  app.add_option("--batch_size", arguments.batch_size)
      ->check(CLI::PositiveNumber);
  app.add_option("--workers", arguments.workers)->check(CLI::NonNegativeNumber);
  app.add_option("--rounds", arguments.rounds)->check(CLI::PositiveNumber);
  app.add_flag("--shuffle", arguments.shuffle);
  app.add_flag("--ragged", arguments.ragged);
  app.add_option("--mode", arguments.mode, "dispatch: of every rank of a job")
      ->check(CLI::IsMember({"map", "stream", "batches", "dispatch"}));
  CLI11_PARSE(app, argc, argv);

  accelerate::Accelerator accelerator(
      {.cpu = true,
       .dataloader = {.dispatch_batches = arguments.mode == "dispatch"}});
  const accelerate::DataLoader loader =
      accelerator.prepare(make_loader(arguments));
  std::int64_t checksum = 0;
  measure(loader, checksum); // warm: the pages of the data are touched
  std::vector<double> rates;
  std::vector<double> cpu_rates;
  for (int round = 0; round < arguments.rounds; ++round) {
    const Rates rate = measure(loader, checksum);
    rates.push_back(rate.wall);
    cpu_rates.push_back(rate.cpu);
  }
  std::sort(rates.begin(), rates.end());
  std::sort(cpu_rates.begin(), cpu_rates.end());
  const nlohmann::json result = {
      {"name", "loader"},
      {"samples_per_second", rates[rates.size() / 2]},
      {"samples_per_second_min", rates.front()},
      {"samples_per_second_max", rates.back()},
      {"samples_per_cpu_second", cpu_rates[cpu_rates.size() / 2]},
      {"samples", arguments.samples},
      {"length", arguments.length},
      {"batch_size", arguments.batch_size},
      {"workers", arguments.workers},
      {"shuffle", arguments.shuffle},
      {"ragged", arguments.ragged},
      {"mode", arguments.mode},
      {"ranks", accelerator.num_processes()},
      {"checksum", checksum}};
  accelerator.print(result.dump());
  accelerator.end_training();
  return 0;
}
