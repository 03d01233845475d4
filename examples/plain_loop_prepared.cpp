// examples/plain_loop_prepared.cpp: plain_loop.cpp after the change of four
// lines (marked), for any number of processes. The loader's batches have names
// now: data and target, as in torch::data.
//
//   accelerate launch --cpu --num_processes 2 plain_loop_prepared
//
// prints one line for each epoch, such as:
//   epoch 3 loss 0.41
#include <cstdio>

#include <torch/torch.h>

#include <accelerate/accelerate.h>

struct Products : torch::data::datasets::Dataset<Products> {
  at::Tensor points = torch::randn({1000, 20});
  at::Tensor labels =
      (points.select(1, 0) * points.select(1, 1) > 0).to(at::kLong);

  torch::data::Example<> get(std::size_t index) override {
    const auto i = static_cast<std::int64_t>(index);
    return {points[i], labels[i]};
  }
  torch::optional<std::size_t> size() const override {
    return 1000;
  }
};

int main() {
  torch::manual_seed(0);
  accelerate::Accelerator accelerator; // 1: finds the other processes
  accelerate::DataLoader user_loader(Products(), {.batch_size = 20}); // 2

  torch::nn::Sequential user_model(
      torch::nn::Linear(20, 64), torch::nn::ReLU(), torch::nn::Linear(64, 2));
  torch::optim::Adam adam(user_model->parameters(), 1e-2);
  auto [model, optimizer, loader] =
      accelerator.prepare(user_model, adam, user_loader); // 3

  for (int epoch = 0; epoch < 4; ++epoch) {
    double total = 0;
    for (const auto& batch : loader) {
      optimizer.zero_grad();
      const auto loss = torch::nn::functional::cross_entropy(
          model(batch["data"]), batch["target"]);
      accelerator.backward(loss); // 4
      optimizer.step();
      total += loss.item<double>();
    }
    if (accelerator.is_main_process()) {
      std::printf(
          "epoch %d loss %.2f\n",
          epoch,
          total / static_cast<double>(loader.size()));
    }
  }
}
