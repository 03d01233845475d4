// benchmarks/model_step_bench.cpp: CPU time of forward and backward of the
// pretrained classifier on reviews, and where it goes.
//
// usage: model_step_bench MODEL_FOLDER bert_logits.safetensors STEPS
// [bf16|fp16] Prints one JSON line. Its twin is
// benchmarks/reference/model_step.py.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/arange.h>

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "accelerate/io/safetensors.h"
#include "accelerate/models/auto_model.h"

namespace {

using accelerate::Batch;

constexpr std::int64_t kBatchSize = 16;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
      1e-9 * static_cast<double>(now.tv_nsec);
}

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// The reviews in batches, padded to the longest of each.
std::vector<Batch> batches_of(const accelerate::SafetensorsFile& file) {
  const at::Tensor mask = file.copy("attention_mask").to(at::kLong);
  std::vector<Batch> batches;
  for (std::int64_t row = 0; row + kBatchSize <= mask.size(0);
       row += kBatchSize) {
    const auto length =
        mask.narrow(0, row, kBatchSize).sum(1).max().item<std::int64_t>();
    Batch batch;
    for (const char* name : {"input_ids", "attention_mask", "token_type_ids"}) {
      batch.set(
          name,
          file.copy(name)
              .to(at::kLong)
              .narrow(0, row, kBatchSize)
              .narrow(1, 0, length)
              .contiguous());
    }
    batch.set("labels", at::arange(kBatchSize, at::kLong).remainder(2));
    batches.push_back(batch);
  }
  return batches;
}

} // namespace

int main(int argc, char** argv) {
  const std::string precision = argc >= 5 ? argv[4] : "no";
  if (argc < 4 || argc > 6) {
    std::fprintf(
        stderr,
        "usage: %s MODEL_FOLDER REVIEWS STEPS [no|bf16|fp16 [checkpoint]]\n",
        argv[0]);
    return 2;
  }
  at::autocast::set_autocast_enabled(at::kCPU, precision != "no");
  at::autocast::set_autocast_dtype(
      at::kCPU, precision == "fp16" ? at::kHalf : at::kBFloat16);
  at::set_num_threads(1);
  auto net = accelerate::AutoModelForSequenceClassification::from_pretrained(
      argv[1], {.num_labels = 2, .gradient_checkpointing = argc == 6});
  net->train();
  const auto batches = batches_of(accelerate::SafetensorsFile::open(argv[2]));
  const int steps = std::atoi(argv[3]);
  std::vector<double> forward, total;
  double loss = 0;
  for (int step = 0; step < steps; ++step) {
    const double begin = cpu_seconds();
    const auto output =
        net(batches[static_cast<std::size_t>(step) % batches.size()]);
    const double middle = cpu_seconds();
    output.loss.backward();
    for (at::Tensor& parameter : net->parameters()) {
      parameter.mutable_grad() = at::Tensor();
    }
    forward.push_back(middle - begin);
    total.push_back(cpu_seconds() - begin);
    loss = output.loss.item<double>();
  }
  // The median: other programs disturb the cache, never speed it up.
  const auto median = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : 1e3 * values[values.size() / 2];
  };
  std::printf(
      "{\"forward_ms\": %.1f, \"step_ms\": %.1f, \"peak_mb\": %.0f, "
      "\"last_loss\": %.4f}\n",
      median(forward),
      median(total),
      peak_megabytes(),
      loss);
  return 0;
}
