// tests/dist/loader_cases.cpp: loaders whose ranks communicate: rank 0 reads
// for all, random numbers are made equal, and every sample is counted once.
#include "tests/dist/rank_case.h"

#include <algorithm>
#include <csignal>
#include <numeric>
#include <optional>

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>

#include "accelerate/comm/collectives.h"
#include "accelerate/comm/exchange.h"
#include "accelerate/data/batch_shard.h"
#include "accelerate/data/loader.h"
#include "accelerate/state/gradient_state.h"
#include "accelerate/state/seed.h"
#include "accelerate/step/gather_for_metrics.h"

namespace accelerate::test {
namespace {

using Ints = std::vector<std::int64_t>;

/// 0, 1, … count - 1, which only rank 0 may read.
struct Source {
  std::int64_t count = 0;
  int rank = 0;
  std::int64_t fails_at = -1;
  std::int64_t position = 0;

  Example sample(std::int64_t index) const {
    if (rank != 0 || index == fails_at) {
      throw std::runtime_error(rank != 0 ? "read by mistake" : "unreadable");
    }
    // Lists of different length, so that ranks get different shapes.
    return {
        {"id", index},
        {"list", Ints(static_cast<std::size_t>(index % 4 + 1), index)}};
  }
};
struct Stream : Source {
  void restart(std::int64_t /*epoch*/) {
    position = 0;
    if (rank != 0) {
      throw std::runtime_error("restarted by mistake");
    }
  }
  std::optional<Example> next() {
    return position == count ? std::nullopt : std::optional(sample(position++));
  }
};
struct Indexed : Source {
  std::size_t size() const {
    return static_cast<std::size_t>(count);
  }
  Example get(std::size_t index) const {
    return sample(static_cast<std::int64_t>(index));
  }
};
/// Batches of 1, 2, 3, 1, 2, 3, … samples over `count` samples.
class Growing final : public BatchSampler {
 public:
  explicit Growing(std::int64_t count) : count_(count) {}
  IndexBatches batches(std::int64_t /*epoch*/) const override {
    IndexBatches result;
    for (std::int64_t next = 0; next < count_;) {
      Ints batch;
      for (std::size_t k = 0; next < count_ && k <= result.size() % 3; ++k) {
        batch.push_back(next++);
      }
      result.push_back(std::move(batch));
    }
    return result;
  }

 private:
  std::int64_t count_;
};

ShardOptions share_of(const ProcessGroup& group) {
  return {
      .rank = group.global_rank(),
      .world_size = group.world_size(),
      .dispatch_batches = true,
      .group = group};
}

DataLoader
make_loader(const Source& source, bool is_stream, DataLoaderOptions options) {
  options.collate = pad_to_longest();
  return is_stream ? DataLoader(Stream{source}, std::move(options))
                   : DataLoader(Indexed{source}, std::move(options));
}

Ints ids_of(const Batch& batch) {
  const at::Tensor& ids = batch["id"];
  const auto* data = ids.const_data_ptr<std::int64_t>();
  return Ints(data, data + ids.numel());
}

/// Batches, their real samples and whether each is the last, as one rank sees
/// them.
void check_pass(
    const std::string& what,
    const DataLoader& loader,
    const BatchShard& expected) {
  std::int64_t index = 0;
  for (auto batch = loader.begin(); batch != loader.end(); ++batch, ++index) {
    expect(what + ": a batch too many", index < expected.num_batches());
    expect(
        concat(what, ": samples of batch ", index),
        ids_of(*batch) == expected.positions(index));
    expect(
        concat(what, ": real samples of batch ", index),
        batch.valid_samples() == expected.slots(index).num_real);
    expect(
        concat(what, ": the end at batch ", index),
        batch.is_last() == (index + 1 == expected.num_batches()));
  }
  expect(what + ": a batch too few", index == expected.num_batches());
}

void dispatch_deals_out_every_sample(ProcessGroup& group) {
  const int world = group.world_size();
  for (const std::int64_t count : {0, 1, 2, 3, 11, 12, 29}) {
    for (int mode = 0; mode < 32; ++mode) {
      const bool is_split = (mode & 4) != 0;
      const DataLoaderOptions options{
          .batch_size = is_split ? world * 2 : 3,
          .drop_last = (mode & 1) != 0,
          .num_workers = (mode & 8) != 0 ? 2 : 0};
      ShardOptions share = share_of(group);
      share.even_batches = (mode & 2) != 0;
      share.split_batches = is_split;
      const DataLoader loader =
          make_loader(
              {.count = count, .rank = group.global_rank()},
              (mode & 16) != 0,
              options)
              .shard(share);
      check_pass(
          concat(count, " samples, mode ", mode),
          loader,
          BatchShard(
              count,
              {.batch_size = options.batch_size,
               .drop_last = options.drop_last,
               .rank = share.rank,
               .world_size = world,
               .even_batches = share.even_batches,
               .split_batches = is_split,
               .dispatch_batches = world > 1}));
      expect("the epoch of every rank", loader.epoch() == 1);
    }
  }
}

void dispatch_keeps_the_shape_of_each_rank(ProcessGroup& group) {
  const std::int64_t rank = group.global_rank();
  const DataLoader loader =
      make_loader(
          {.count = 8L * group.world_size(), .rank = group.global_rank()},
          true,
          {.batch_size = 1})
          .shard(share_of(group));
  std::int64_t index = rank;
  for (const Batch& batch : loader) {
    expect_tensor(
        "a list of its own length",
        batch["list"],
        at::full({1, index % 4 + 1}, index, at::kLong));
    index += group.world_size();
  }
}

void dispatch_brings_errors_of_rank_0_everywhere(ProcessGroup& group) {
  for (const bool is_stream : {false, true}) {
    for (const int workers : {0, 2}) {
      const std::int64_t world = group.world_size();
      const DataLoader loader = make_loader(
                                    {.count = 8 * world,
                                     .rank = group.global_rank(),
                                     .fails_at = 4 * world},
                                    is_stream,
                                    {.batch_size = 2, .num_workers = workers})
                                    .shard(share_of(group));
      for (int repeat = 0; repeat < 2; ++repeat) {
        int seen = 0;
        std::vector<std::string> parts{"unreadable"};
        if (group.global_rank() != 0) {
          parts.emplace_back("rank 0, which reads for all ranks, failed");
        }
        expect_throws<ConfigError>("an error", parts, [&] {
          for (const Batch& batch : loader) {
            seen += static_cast<int>(batch.num_samples());
          }
        });
        expect("the batches before it arrive", seen == 4);
        barrier(group); // the group still works
      }
    }
  }
}

void dispatch_can_be_left_by_all_ranks(ProcessGroup& group) {
  for (const int workers : {0, 3}) {
    const DataLoader loader = make_loader(
                                  {.count = 100, .rank = group.global_rank()},
                                  true,
                                  {.batch_size = 2, .num_workers = workers})
                                  .shard(share_of(group));
    for (int repeat = 0; repeat < 3; ++repeat) {
      int seen = 0;
      for (const Batch& batch : loader) {
        expect(
            "from the beginning",
            ids_of(batch).front() ==
                2 * (seen * group.world_size() + group.global_rank()));
        if (++seen == 3) {
          break;
        }
      }
      barrier(group);
    }
  }
}

void dispatch_notices_ranks_in_different_passes(ProcessGroup& group) {
  const DataLoader loader =
      make_loader(
          {.count = 100, .rank = group.global_rank()}, true, {.batch_size = 2})
          .shard(share_of(group));
  std::optional<DataLoader::Iterator> batch = loader.begin();
  if (group.world_size() == 1) {
    return;
  }
  expect_throws<CommError>(
      "both sides",
      {"batch 0 of pass 2 of a dispatched loader",
       "batch 1 of pass 1 of a dispatched loader"},
      [&] {
        if (group.global_rank() == 0) {
          batch.reset(); // leaves alone
          batch = loader.begin();
        } else {
          ++*batch;
        }
      });
}

void dispatch_goes_on_where_it_stopped(ProcessGroup& group) {
  const auto make = [&](bool is_stream, int workers) {
    return make_loader(
               {.count = 29, .rank = group.global_rank()},
               is_stream,
               {.batch_size = 2, .num_workers = workers})
        .shard(share_of(group));
  };
  for (const bool is_stream : {false, true}) {
    std::vector<Ints> expected;
    for (const Batch& batch : make(is_stream, 0)) {
      expected.push_back(ids_of(batch));
    }
    for (std::size_t stop = 1; stop <= expected.size(); ++stop) {
      std::vector<Ints> seen;
      DataLoaderState state;
      const DataLoader first = make(is_stream, 2);
      for (const Batch& batch : first) {
        seen.push_back(ids_of(batch));
        if (seen.size() == stop) {
          state = first.state();
          break;
        }
      }
      // One rank's state serves all.
      state = DataLoaderState::from_json(
          broadcast_json(group, state.to_json(), group.world_size() - 1));
      DataLoader second = make(is_stream, 2);
      second.load_state(state);
      for (const Batch& batch : second) {
        seen.push_back(ids_of(batch));
      }
      expect(concat("all batches, stopped after ", stop), seen == expected);
      expect("the next epoch", second.epoch() == 1);
    }
  }
}

/// Every mode, nested values, tensors and objects.
void metrics_see_every_sample_once(ProcessGroup& group) {
  const int world = group.world_size();
  for (const std::int64_t count : {1, 2, 3, 7, 12, 17}) {
    for (int mode = 0; mode < 6; ++mode) {
      const auto state = std::make_shared<GradientState>();
      ShardOptions share = share_of(group);
      share.dispatch_batches = mode % 2 == 0;
      share.gradient_state = state;
      DataLoaderOptions options{.batch_size = world};
      if (mode >= 4) {
        options = {.batch_sampler = std::make_shared<Growing>(count)};
      }
      share.split_batches = mode < 2;
      // Without dispatch every rank reads.
      const int reader = share.dispatch_batches ? group.global_rank() : 0;
      const DataLoader loader =
          make_loader({.count = count, .rank = reader}, mode < 4, options)
              .shard(share);
      Ints ids;
      Ints objects;
      for (const Batch& batch : loader) {
        std::vector<std::string> mine;
        for (const std::int64_t id : ids_of(batch)) {
          mine.push_back(concat("{\"id\": ", id, "}"));
        }
        const auto [x, nested] = step::gather_for_metrics(
            group, *state, std::pair(batch["id"], std::vector{batch["id"]}));
        expect("leaves stay together", at::equal(x, nested.front()));
        const Ints more = ids_of({{"id", x}});
        ids.insert(ids.end(), more.begin(), more.end());
        for (const auto& text : step::gather_valid_json(group, *state, mine)) {
          objects.push_back(std::stoll(text.substr(7)));
        }
      }
      expect(concat("the same objects in mode ", mode), ids == objects);
      std::sort(ids.begin(), ids.end());
      Ints all(static_cast<std::size_t>(count));
      std::iota(all.begin(), all.end(), 0);
      expect(concat(count, " samples once in mode ", mode), ids == all);
    }
  }
  const GradientState outside;
  expect_throws<ConfigError>(
      "an object that is none", {"value 1 of rank 0 is not valid JSON"}, [&] {
        (void)step::gather_valid_json(group, outside, {"1", "{"});
      });
}

void passes_begin_with_the_random_numbers_of_rank_0(ProcessGroup& group) {
  ShardOptions share = share_of(group);
  share.dispatch_batches = false;
  share.rng_types = {RngType::kTorch};
  const DataLoader loader =
      DataLoader(Indexed{{.count = 4}}, {.collate = pad_to_longest()})
          .shard(share);
  for (int pass = 0; pass < 2; ++pass) {
    set_seed(static_cast<std::uint64_t>(5 + group.global_rank()));
    const auto batch = loader.begin();
    const at::Tensor drawn = at::randn({3});
    expect_tensor("the draw of rank 0", drawn, broadcast(group, drawn));
  }
  share.rng_types = {RngType::kCuda};
  expect_throws<ConfigError>("no GPU", {"rng type cuda"}, [&] {
    (void)DataLoader(Indexed{{.count = 4}}).shard(share).begin();
  });
}

/// The last rank dies between two batches.
void dies_while_others_wait(ProcessGroup& group) {
  const DataLoader loader =
      make_loader(
          {.count = 100, .rank = group.global_rank()}, true, {.batch_size = 2})
          .shard(share_of(group));
  int seen = 0;
  for (const Batch& batch : loader) {
    static_cast<void>(batch);
    if (++seen == 3 && group.global_rank() == group.world_size() - 1) {
      std::raise(SIGKILL);
    }
  }
}

} // namespace

RankCases loader_cases() {
  return {
      {"fault/kill_in_dispatch", dies_while_others_wait},
      {"loader/dispatch", dispatch_deals_out_every_sample},
      {"loader/dispatch_shapes", dispatch_keeps_the_shape_of_each_rank},
      {"loader/dispatch_errors", dispatch_brings_errors_of_rank_0_everywhere},
      {"loader/dispatch_break", dispatch_can_be_left_by_all_ranks},
      {"loader/dispatch_passes", dispatch_notices_ranks_in_different_passes},
      {"loader/dispatch_state", dispatch_goes_on_where_it_stopped},
      {"loader/metrics", metrics_see_every_sample_once},
      {"loader/rng", passes_begin_with_the_random_numbers_of_rank_0},
  };
}

} // namespace accelerate::test
