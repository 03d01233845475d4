// tests/parity/parity_ranks.cpp: the trainings that the parity tests start on
// one or two ranks; rank 0 writes what it measured.
//
//   parity_ranks curve ASSETS GOLDEN.json OUT.json
//   parity_ranks weights ASSETS BATCH_SIZE OUT.safetensors
//   parity_ranks bare OUT_BARE.safetensors OUT_PREPARED.safetensors
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <torch/nn.h>
#include <torch/optim.h>
#include <nlohmann/json.hpp>

#include "accelerate/accelerate.h"
#include "accelerate/io/safetensors.h"
#include "accelerate/models.h"

namespace {

using namespace accelerate;

constexpr std::int64_t kMaxLength = 64;

/// The head of tools/golden/finetune_curve.py.
void set_head(torch::nn::Module& net) {
  at::NoGradGuard no_grad;
  for (auto& item : net.named_parameters()) {
    if (item.key() == "classifier.weight") {
      const auto index = torch::arange(item->numel(), torch::kDouble);
      item->copy_((0.02 * torch::sin(0.37 * index + 0.1)).view_as(*item));
    } else if (item.key() == "classifier.bias") {
      item->zero_();
    }
  }
}

auto load_model(const std::string& assets) {
  auto net = AutoModelForSequenceClassification::from_pretrained(
      assets + "/minilm",
      {.num_labels = 2,
       .hidden_dropout_prob = 0.0,
       .attention_probs_dropout_prob = 0.0});
  set_head(*net);
  return net;
}

/// Rows (3001 i) mod n of the training file, which is sorted by label.
auto load_rows(const std::string& assets, std::int64_t count) {
  const auto all = load_dataset(
      "csv",
      {.data_files = {{"train", assets + "/reviews/train.csv"}}})["train"];
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < count; ++i) {
    rows.push_back(3001 * i % all.size());
  }
  return all.select(rows);
}

void run_curve(
    const std::string& assets,
    const std::string& golden_path,
    const std::string& out) {
  const auto golden = nlohmann::json::parse(std::ifstream(golden_path));
  const std::int64_t steps = golden["steps"], batch_size = golden["batch_size"];
  Accelerator accelerator(
      {.mixed_precision =
           parse_precision(golden.value("mixed_precision", "no"))});
  auto tokenizer = AutoTokenizer::from_pretrained(assets + "/minilm");
  const auto encoded =
      load_rows(assets, steps * batch_size * accelerator.num_processes())
          .map(tokenizer.encoder(
              {.column = "text",
               .truncation = true,
               .max_length = kMaxLength}));
  DataLoader loader(
      encoded,
      {.batch_size = batch_size, .collate = pad_to_longest(tokenizer)});
  auto net = load_model(assets);
  auto [model, optimizer, train] = accelerator.prepare(
      net,
      AdamW(net->parameters(), {.lr = golden["lr"], .weight_decay = 0.01}),
      loader);
  auto scheduler = get_scheduler(
      "linear",
      optimizer,
      {.num_warmup_steps = 0, .num_training_steps = steps});
  model.train();
  std::vector<double> losses;
  for (const Batch& batch : train) {
    auto output = model(batch);
    accelerator.backward(output.loss);
    optimizer.step();
    scheduler.step();
    optimizer.zero_grad();
    losses.push_back(accelerator.reduce(output.loss.detach(), Reduction::kMean)
                         .item<double>());
  }
  accelerator.on_main_process([&] {
    std::ofstream(out) << nlohmann::json{{"loss", losses}};
  });
  accelerator.end_training();
}

std::vector<NamedTensor> copies(const torch::nn::Module& net) {
  std::vector<NamedTensor> tensors;
  for (const auto& item : net.named_parameters()) {
    tensors.push_back({item.key(), item->detach().clone()});
  }
  return tensors;
}

void run_weights(
    const std::string& assets,
    std::int64_t batch_size,
    const std::string& out) {
  constexpr std::int64_t kSteps = 50;
  constexpr std::int64_t kGlobalBatch = 16;
  Accelerator accelerator({.dataloader = {.split_batches = true}});
  auto tokenizer = AutoTokenizer::from_pretrained(assets + "/minilm");
  const auto encoded = load_rows(assets, kSteps * kGlobalBatch)
                           .map(tokenizer.encoder(
                               {.column = "text",
                                .truncation = true,
                                .max_length = kMaxLength}));
  DataLoader loader(
      encoded,
      {.batch_size = batch_size * accelerator.num_processes(),
       .collate = pad_to_longest(tokenizer)});
  auto net = load_model(assets);
  auto [model, optimizer, train] =
      accelerator.prepare(net, AdamW(net->parameters(), {.lr = 5e-5}), loader);
  model.train();
  for (const Batch& batch : train) {
    accelerator.backward(model(batch).loss);
    optimizer.step();
    optimizer.zero_grad();
  }
  accelerator.on_main_process([&] { save_safetensors(out, copies(*net)); });
  accelerator.end_training();
}

torch::nn::Sequential make_mlp() {
  torch::manual_seed(7);
  return torch::nn::Sequential(
      torch::nn::Linear(8, 32), torch::nn::ReLU(), torch::nn::Linear(32, 3));
}

Batch mlp_batch(int step) {
  return {
      {"x",
       torch::sin(
           torch::arange(40, torch::kFloat).reshape({5, 8}) +
           static_cast<float>(step))},
      {"y", torch::arange(5).remainder(3)}};
}

void run_bare(const std::string& out_bare, const std::string& out_prepared) {
  constexpr int kSteps = 20;
  const auto train = [](auto& forward, auto& backward, auto& optimizer) {
    for (int step = 0; step < kSteps; ++step) {
      const Batch batch = mlp_batch(step);
      backward(torch::nn::functional::cross_entropy(
          forward(batch["x"]), batch["y"]));
      optimizer.step();
      optimizer.zero_grad();
    }
  };
  torch::nn::Sequential bare = make_mlp();
  torch::optim::AdamW bare_optimizer(bare->parameters(), 1e-2);
  auto bare_forward = [&](const at::Tensor& x) { return bare->forward(x); };
  auto bare_backward = [](const at::Tensor& loss) { loss.backward(); };
  train(bare_forward, bare_backward, bare_optimizer);
  save_safetensors(out_bare, copies(*bare));

  Accelerator accelerator;
  torch::nn::Sequential net = make_mlp();
  torch::optim::AdamW adamw(net->parameters(), 1e-2);
  auto [model, optimizer] = accelerator.prepare(net, adamw);
  auto backward = [&](const at::Tensor& loss) { accelerator.backward(loss); };
  train(model, backward, optimizer);
  save_safetensors(out_prepared, copies(*net));
}

} // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string what = arguments.empty() ? "" : arguments[0];
  if (what == "curve" && arguments.size() == 4) {
    run_curve(arguments[1], arguments[2], arguments[3]);
  } else if (what == "weights" && arguments.size() == 4) {
    run_weights(arguments[1], std::stoll(arguments[2]), arguments[3]);
  } else if (what == "bare" && arguments.size() == 3) {
    run_bare(arguments[1], arguments[2]);
  } else {
    return 64;
  }
}
