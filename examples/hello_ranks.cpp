// examples/hello_ranks.cpp: who am I, and a first exchange between ranks.
//
//   accelerate launch --cpu --num_processes 2 hello_ranks
//
// prints, besides one greeting per rank in any order:
//   ranks seen: 0 1
//   sum of ranks: 1, mean: 0.5
#include <accelerate/accelerate.h>

#include <iostream>

#include <ATen/ops/full.h>

using namespace accelerate;

int main() {
  Accelerator accelerator;
  const int rank = accelerator.process_index();
  std::cout << concat(
                   "hello from rank ",
                   rank,
                   " of ",
                   accelerator.num_processes(),
                   " on ",
                   accelerator.device(),
                   '\n')
            << std::flush;

  const at::Tensor mine = at::full({1}, static_cast<double>(rank));
  const at::Tensor all = accelerator.gather(mine);
  std::string seen;
  for (int64_t i = 0; i < all.numel(); ++i) {
    seen += concat(' ', all[i].item<double>());
  }
  accelerator.print("ranks seen:", seen);
  const at::Tensor sum = accelerator.reduce(mine, Reduction::kSum);
  const at::Tensor mean = accelerator.reduce(mine, Reduction::kMean);
  accelerator.print(
      "sum of ranks: ", sum.item<double>(), ", mean: ", mean.item<double>());
  accelerator.end_training();
}
