// examples/finetune_options.cpp: see the header.
#include "finetune_options.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>

#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

namespace examples {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double peak_megabytes_of_this_process() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024; // kilobytes on Linux
}

[[noreturn]] void usage(const std::string& problem) {
  std::cerr
      << "finetune_reviews: " << problem
      << "\nusage: finetune_reviews --model DIR --train CSV --test CSV"
         "\n  [--epochs N] [--max_steps N] [--batch_size N] [--max_length N]"
         "\n  [--lr X] [--seed N] [--min_accuracy X] [--json FILE]"
         "\n  [--test_split 'test[:N]']\n";
  std::exit(64);
}

} // namespace

FinetuneOptions FinetuneOptions::parse(int argc, char** argv) {
  FinetuneOptions options;
  const std::map<std::string, std::function<void(const std::string&)>> setters{
      {"--model", [&](auto& v) { options.model = v; }},
      {"--train", [&](auto& v) { options.train = v; }},
      {"--test", [&](auto& v) { options.test = v; }},
      {"--test_split", [&](auto& v) { options.test_split = v; }},
      {"--json", [&](auto& v) { options.json = v; }},
      {"--epochs", [&](auto& v) { options.epochs = std::stoll(v); }},
      {"--max_steps", [&](auto& v) { options.max_steps = std::stoll(v); }},
      {"--batch_size", [&](auto& v) { options.batch_size = std::stoll(v); }},
      {"--max_length", [&](auto& v) { options.max_length = std::stoll(v); }},
      {"--lr", [&](auto& v) { options.lr = std::stod(v); }},
      {"--seed", [&](auto& v) { options.seed = std::stoull(v); }},
      {"--min_accuracy", [&](auto& v) { options.min_accuracy = std::stod(v); }},
  };
  for (int i = 1; i < argc; i += 2) {
    const auto setter = setters.find(argv[i]);
    if (setter == setters.end() || i + 1 == argc) {
      usage(accelerate::concat("unknown or incomplete option '", argv[i], "'"));
    }
    try {
      setter->second(argv[i + 1]);
    } catch (const std::exception&) {
      usage(
          accelerate::concat("'", argv[i + 1], "' is no number for ", argv[i]));
    }
  }
  if (options.model.empty() || options.train.empty() || options.test.empty()) {
    usage("--model, --train and --test are needed");
  }
  return options;
}

std::int64_t FinetuneOptions::total_steps(std::int64_t steps_per_epoch) const {
  ACCELERATE_CHECK(
      steps_per_epoch > 0,
      accelerate::ConfigError,
      "finetune_reviews",
      "'",
      train,
      "' has no rows to train on");
  return max_steps > 0 ? max_steps : epochs * steps_per_epoch;
}

int FinetuneOptions::finish(
    const accelerate::Accelerator& accelerator,
    double accuracy,
    std::int64_t steps,
    const Report& report) const {
  if (accelerator.is_main_process()) {
    std::cout << std::fixed << std::setprecision(3) << "\n  accuracy        "
              << accuracy << '\n'
              << "  training loss   " << report.loss << '\n'
              << std::setprecision(1) << "  samples/s       "
              << report.samples_per_second << "   (all "
              << accelerator.num_processes() << " ranks)\n"
              << std::setprecision(0) << "  peak memory     "
              << report.peak_megabytes << " MB per rank\n"
              << "  training time   " << report.seconds << " s, " << steps
              << " steps\n"
              << std::flush;
    if (!json.empty()) {
      std::ofstream(json) << std::setprecision(6)
                          << "{\"accuracy\": " << accuracy
                          << ", \"samples_per_second\": "
                          << report.samples_per_second
                          << ", \"peak_megabytes\": " << report.peak_megabytes
                          << ", \"seconds\": " << report.seconds
                          << ", \"loss\": " << report.loss
                          << ", \"steps\": " << steps << "}\n";
    }
  }
  if (accuracy < min_accuracy) {
    accelerator.print(
        "accuracy ", accuracy, " is below the required ", min_accuracy);
    return 1;
  }
  return 0;
}

TrainingMeter::TrainingMeter(std::int64_t total_steps)
    : start_(now_seconds()), total_steps_(total_steps) {}

void TrainingMeter::add(std::int64_t samples, const at::Tensor& loss) {
  samples_ += samples;
  if (++steps_ > total_steps_ - std::max<std::int64_t>(1, total_steps_ / 10)) {
    last_losses_.push_back(loss.detach().to(at::kDouble));
  }
}

Report TrainingMeter::stop(const accelerate::Accelerator& accelerator) const {
  using accelerate::Reduction;
  const at::Tensor largest = accelerator.reduce(
      at::tensor({now_seconds() - start_, peak_megabytes_of_this_process()}),
      Reduction::kMax);
  const at::Tensor total = accelerator.reduce(
      at::tensor({static_cast<double>(samples_)}), Reduction::kSum);
  const at::Tensor loss =
      accelerator.reduce(at::stack(last_losses_).mean(), Reduction::kMean);
  Report report;
  report.seconds = largest[0].item<double>();
  report.peak_megabytes = largest[1].item<double>();
  report.samples_per_second = total.item<double>() / report.seconds;
  report.loss = loss.item<double>();
  return report;
}

} // namespace examples
