// examples/plain_loop.cpp: a plain libtorch loop on one process.
// plain_loop_prepared.cpp is the same after the change of four lines.
//
//   ./plain_loop
//
// prints one line for each epoch, such as:
//   epoch 3 loss 0.41
#include <cstdio>

#include <torch/torch.h>

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
  auto loader = torch::data::make_data_loader(
      Products().map(torch::data::transforms::Stack<>()), 20);

  torch::nn::Sequential model(
      torch::nn::Linear(20, 64), torch::nn::ReLU(), torch::nn::Linear(64, 2));
  torch::optim::Adam optimizer(model->parameters(), 1e-2);

  for (int epoch = 0; epoch < 4; ++epoch) {
    double total = 0;
    for (const auto& batch : *loader) {
      optimizer.zero_grad();
      const auto loss = torch::nn::functional::cross_entropy(
          model->forward(batch.data), batch.target);
      loss.backward();
      optimizer.step();
      total += loss.item<double>();
    }
    std::printf("epoch %d loss %.2f\n", epoch, total / 50);
  }
}
