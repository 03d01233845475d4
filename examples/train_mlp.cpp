// examples/train_mlp.cpp: a plain torch::nn module and torch::optim optimiser,
// trained by any number of processes with the four lines marked below.
//
//   accelerate launch --cpu --num_processes 2 train_mlp
//
// prints:
//   epoch 29: mean error below 0.01
#include <torch/nn.h>
#include <torch/optim.h>

#include <accelerate/accelerate.h>

using namespace accelerate;

// y = sin(x0) + x1^2 on a grid: anything with size() and get() is a dataset.
struct Surface {
  std::size_t size() const {
    return 1024;
  }
  Batch get(std::size_t index) const {
    const double x0 = static_cast<double>(index % 32) / 16 - 1;
    const double x1 = static_cast<double>(index / 32) / 16 - 1;
    return {
        {"x", torch::tensor({x0, x1}, torch::kFloat)},
        {"y", torch::tensor({std::sin(x0) + x1 * x1}, torch::kFloat)}};
  }
};

int main() {
  Accelerator accelerator; // 1
  set_seed(0);
  torch::nn::Sequential net(
      torch::nn::Linear(2, 64), torch::nn::Tanh(), torch::nn::Linear(64, 1));
  torch::optim::Adam adam(net->parameters(), 1e-2);
  DataLoader loader(Surface{}, {.batch_size = 32, .shuffle = true});

  auto [model, optimizer, train] = accelerator.prepare(net, adam, loader); // 2
  at::Tensor error;
  constexpr int kEpochs = 30;
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    at::Tensor total = torch::zeros({});
    for (const Batch& batch : train) {
      const auto difference = model(batch["x"]) - batch["y"];
      const auto loss = difference.square().mean();
      accelerator.backward(loss); // 3
      optimizer.step();
      optimizer.zero_grad();
      total += loss.detach();
    }
    error = accelerator.reduce(
        total / static_cast<double>(train.size()), Reduction::kMean); // 4
  }
  accelerator.print(
      "epoch ",
      kEpochs - 1,
      ": mean error ",
      error.item<double>() < 0.01 ? "below" : "above",
      " 0.01");
  accelerator.end_training();
}
