// tests/dist/engine_data_cases.cpp: loaders and metrics through the
// Accelerator.
#include "tests/dist/engine_cases.h"

#include <algorithm>
#include <optional>

#include <ATen/ATen.h>

#include "accelerate/state/seed.h"

namespace accelerate::test {
namespace {

/// Each sample once, whatever the tail: empty shards and data smaller than the
/// world included.
void metrics_see_every_sample_once() {
  Accelerator accelerator;
  for (const std::int64_t count : {1, 2, 3, 5, 7, 8, 16, 17, 31}) {
    for (const bool shuffle : {false, true}) {
      auto loader = accelerator.prepare(
          DataLoader(numbers(count), {.batch_size = 4, .shuffle = shuffle}));
      std::vector<std::int64_t> seen;
      for (const Batch& batch : loader) {
        const at::Tensor all = accelerator.gather_for_metrics(batch["x"]);
        for (std::int64_t i = 0; i < all.numel(); ++i) {
          seen.push_back(all[i].item<std::int64_t>());
        }
      }
      std::sort(seen.begin(), seen.end());
      std::vector<std::int64_t> expected(static_cast<std::size_t>(count));
      std::iota(expected.begin(), expected.end(), 0);
      expect(
          seen == expected,
          concat("each of ", count, " samples once, got ", seen.size()));
    }
  }
}

/// The same, nested, and when ranks have different numbers of rows.
void metrics_of_uneven_batches() {
  Accelerator accelerator({.dataloader = {.even_batches = false}});
  // One full round, and a last batch of one sample for rank 0 alone: only
  // whole rounds are gathered here, the tail is counted by reduce.
  const int world = accelerator.num_processes();
  auto loader = accelerator.prepare(
      DataLoader(numbers(4 * world - 1), {.batch_size = 4}));
  std::int64_t rows = 0;
  for (const Batch& batch : loader) {
    const auto [x, twice] = accelerator.gather_for_metrics(
        std::pair(batch["x"], std::vector{batch["x"] * 2}));
    expect(at::equal(x * 2, twice[0]), "leaves stay together");
    rows += x.numel();
  }
  expect(rows == 4 * world - 1, "short batches are gathered as they are");
}

/// What scripts pass to metrics besides one row per sample.
void metrics_of_other_shapes() {
  Accelerator accelerator;
  const int rank = accelerator.process_index();
  const int world = accelerator.num_processes();
  const at::Tensor ranks = at::arange(world);
  for (const std::int64_t count :
       {1, 4 * world + 1, 4 * world + 5, 8 * world}) {
    auto loader =
        accelerator.prepare(DataLoader(numbers(count), {.batch_size = 4}));
    for (const Batch& batch : loader) {
      const at::Tensor valid = accelerator.gather(
          at::full({1}, accelerator.gradient_state().valid_samples()));
      const auto [loss, single, repeated, x] =
          accelerator.gather_for_metrics(std::tuple(
              at::full({}, rank),
              at::full({1}, rank),
              at::full({4}, rank),
              batch["x"]));
      expect(at::equal(loss, ranks), "one value of each rank");
      const bool per_sample = valid.max().item<std::int64_t>() <= 1;
      expect(
          single.numel() ==
              (per_sample ? valid.sum().item<std::int64_t>() : world),
          "one row of each rank unless that may be its one sample");
      expect(
          at::equal(repeated, at::repeat_interleave(ranks, valid)),
          "a repeated loss once for each sample");
      expect(x.numel() == repeated.numel(), "as many as samples");
      const bool is_full = valid.min().item<std::int64_t>() == 4;
      const at::Tensor words = at::full({8}, rank);
      expect(
          accelerator.gather_for_metrics(words).numel() ==
              (is_full ? 8 * world : valid.sum().item<std::int64_t>()),
          "two rows for each sample, unless samples are repeated");
    }
  }
  expect(
      accelerator.gather_for_metrics(at::full({rank + 1}, rank)).numel() ==
          world * (world + 1) / 2,
      "all rows of ranks with different numbers of them");
}

/// Every rank learns who passed what.
void metrics_that_disagree() {
  Accelerator accelerator;
  if (accelerator.num_processes() == 1) {
    return;
  }
  const std::vector<at::Tensor> mine(
      accelerator.is_main_process() ? 1 : 2, at::ones({2}));
  try {
    (void)accelerator.gather_for_metrics(mine);
  } catch (const CommError& error) {
    expect(
        std::string(error.what())
                .find("rank 0 passes 1 tensors and rank 1 passes 2") !=
            std::string::npos,
        concat("both sides in ", error.what()));
    accelerator.wait_for_everyone(); // the group still works
    return;
  }
  expect(false, "an error");
}

/// Seeds differ between ranks, the order of a shuffled epoch does not.
void shuffles_with_the_seed_of_rank_0() {
  Accelerator accelerator;
  set_seed(11, SeedScope::kPerRank);
  auto loader = accelerator.prepare(
      DataLoader(numbers(24), {.batch_size = 2, .shuffle = true}));
  at::Tensor sum = at::zeros({1}, at::kLong);
  for (const Batch& batch : loader) {
    sum += accelerator.reduce(batch["x"].sum().unsqueeze(0));
  }
  expect(sum.item<std::int64_t>() == 23 * 24 / 2, "shares do not overlap");
  // A seed of the job replaces those of the loaders.
  Accelerator seeded({.dataloader = {.data_seed = 3}});
  auto other = seeded.prepare(DataLoader(
      numbers(24),
      {.shuffle = true, .seed = accelerator.process_index() + 8U}));
  expect(other.seed() == 3, "the seed of the job");
}

/// Rank 0 reads streams, unless every rank is asked to.
void streams_are_read_by_rank_0() {
  struct Numbers {
    void restart(std::int64_t /*epoch*/) {
      next_number = 0;
    }
    std::optional<Example> next() {
      ++reads;
      return next_number == 9 ? std::nullopt
                              : std::optional(Example{{"x", next_number++}});
    }
    std::int64_t next_number = 0;
    int reads = 0;
  };
  const Accelerator keeps_the_group;
  for (const bool is_default : {true, false}) {
    Accelerator accelerator(
        {.cpu = true,
         .dataloader = {
             .dispatch_batches =
                 is_default ? std::nullopt : std::optional(false)}});
    Numbers stream;
    auto loader = accelerator.prepare(DataLoader(stream, {.batch_size = 2}));
    std::vector<std::string> seen;
    for (const Batch& batch : loader) {
      std::vector<std::string> mine;
      for (std::int64_t i = 0; i < batch.num_samples(); ++i) {
        mine.push_back(std::to_string(batch["x"][i].item<std::int64_t>()));
      }
      const auto more = accelerator.gather_json_for_metrics(mine);
      seen.insert(seen.end(), more.begin(), more.end());
    }
    std::sort(seen.begin(), seen.end());
    const std::vector<std::string> all{
        "0", "1", "2", "3", "4", "5", "6", "7", "8"};
    expect(seen == all, "every sample once");
    expect(
        (stream.reads > 0) == (accelerator.is_main_process() || !is_default),
        "who reads");
  }
}

} // namespace

EngineCases engine_data_cases() {
  return {
      {"metrics", metrics_see_every_sample_once},
      {"uneven_metrics", metrics_of_uneven_batches},
      {"other_metrics", metrics_of_other_shapes},
      {"disagreeing_metrics", metrics_that_disagree},
      {"shuffle", shuffles_with_the_seed_of_rank_0},
      {"streams", streams_are_read_by_rank_0},
  };
}

} // namespace accelerate::test
