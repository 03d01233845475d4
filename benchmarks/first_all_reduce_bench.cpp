// benchmarks/first_all_reduce_bench.cpp: a rank that ends after its first
// all-reduce and prints when that was, in seconds since 1970, so that whoever
// started the launcher can tell how long it took.
#include <chrono>
#include <cstdio>

#include <ATen/ops/ones.h>

#include "accelerate/accelerator.h"

int main() {
  const accelerate::Accelerator accelerator;
  const at::Tensor sum =
      accelerator.reduce(at::ones({1}), accelerate::Reduction::kSum);
  const std::chrono::duration<double> now =
      std::chrono::system_clock::now().time_since_epoch();
  if (sum.item().toInt() != accelerator.num_processes()) {
    return 1;
  }
  if (accelerator.is_main_process()) {
    std::printf("{\"finished_at\": %.6f}\n", now.count());
  }
}
