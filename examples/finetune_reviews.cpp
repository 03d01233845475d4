// examples/finetune_reviews.cpp: fine-tunes a pretrained BERT-family model on
// movie reviews and measures its accuracy on reviews it has not seen.
//
//   accelerate launch --cpu --num_processes 2 finetune_reviews
//       --model .deps/assets/minilm --train .deps/assets/reviews/train.csv
//       --test .deps/assets/reviews/test.csv --epochs 2
//
// draws a progress bar and prints at the end, for example:
//   accuracy        0.853
//   training loss   0.247
//   samples/s       68.1   (all 2 ranks)
//   peak memory     688 MB per rank
//   training time   250 s, 532 steps
#include <accelerate/accelerate.h>
#include <accelerate/models.h>

#include <iostream>

#include "finetune_options.h"

using namespace accelerate;

double evaluate(Accelerator& accelerator, auto& model, auto& test) {
  const at::NoGradGuard no_grad;
  model.eval();
  double right = 0, seen = 0;
  for (const Batch& batch : test) {
    const auto [predicted, labels] = accelerator.gather_for_metrics(
        std::pair(model(batch).logits.argmax(-1), batch["labels"]));
    const at::Tensor hits = (predicted == labels).sum();
    right += hits.item<double>();
    seen += static_cast<double>(labels.numel());
  }
  return right / seen;
}

int main(int argc, char** argv) try {
  const auto options = examples::FinetuneOptions::parse(argc, argv);
  Accelerator accelerator;
  set_seed(options.seed);

  auto tokenizer = AutoTokenizer::from_pretrained(options.model);
  auto dataset = load_dataset(
      "csv",
      {.data_files = {{"train", options.train}, {"test", options.test}}});
  auto encoded = dataset.map(tokenizer.encoder(
      {.column = "text",
       .truncation = true,
       .max_length = options.max_length}));
  const auto collate = pad_to_longest(tokenizer);
  DataLoader train_loader(
      encoded["train"],
      {.batch_size = options.batch_size,
       .shuffle = true,
       .seed = options.seed,
       .collate = collate});
  DataLoader test_loader(
      encoded.select(options.test_split),
      {.batch_size = 64, .collate = collate});

  auto net = AutoModelForSequenceClassification::from_pretrained(
      options.model, {.num_labels = 2});
  auto [model, optimizer, train, test] = accelerator.prepare(
      net,
      AdamW(net->parameters(), {.lr = options.lr}),
      train_loader,
      test_loader);
  const auto total = options.total_steps(train.size());
  auto scheduler = get_scheduler(
      "linear",
      optimizer,
      {.num_warmup_steps = 0, .num_training_steps = total});

  model.train();
  auto bar = accelerator.progress({.total = total, .description = "training"});
  examples::TrainingMeter meter(total);
  while (!meter.is_done()) {
    for (const Batch& batch : train) {
      auto output = model(batch);
      accelerator.backward(output.loss);
      optimizer.step();
      scheduler.step();
      optimizer.zero_grad();
      bar.update(1);
      meter.add(batch.num_samples(), output.loss);
      if (meter.is_done()) {
        break;
      }
    }
  }
  bar.close();
  const auto report = meter.stop(accelerator);
  const double accuracy = evaluate(accelerator, model, test);
  accelerator.end_training();
  return options.finish(accelerator, accuracy, meter.steps(), report);
} catch (const std::exception& error) {
  std::cerr << "finetune_reviews: " << error.what() << '\n';
  return 1;
}
