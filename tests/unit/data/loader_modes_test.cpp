// tests/unit/data/loader_modes_test.cpp: streams, batch samplers, dispatched
// rounds and what ranks get of them; tests/dist has the ranks themselves.
#include <algorithm>
#include <numeric>
#include <optional>

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include "accelerate/data/dispatched_rounds_impl.h"
#include "accelerate/data/loader.h"
#include "accelerate/error.h"
#include "accelerate/state/gradient_state.h"
#include "loader_kinds.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

static_assert(StreamDataset<CountStream> && !MapStyleDataset<CountStream>);
static_assert(!StreamDataset<Ints>);

/// Every rank's batches with the samples that count, read by loaders of all
/// ranks in one process.
struct Seen {
  std::vector<std::vector<Ints>> batches; // [rank][batch]
  Ints real; // samples that do not repeat others, sorted
};

Seen iterate_ranks(const DataLoader& loader, ShardOptions share) {
  Seen seen;
  for (share.rank = 0; share.rank < share.world_size; ++share.rank) {
    const DataLoader mine = loader.shard(share);
    seen.batches.emplace_back();
    for (auto batch = mine.begin(); batch != mine.end(); ++batch) {
      const Ints ids = ids_of(*batch);
      seen.real.insert(
          seen.real.end(), ids.begin(), ids.begin() + batch.valid_samples());
      seen.batches.back().push_back(ids);
    }
  }
  std::sort(seen.real.begin(), seen.real.end());
  return seen;
}

Ints up_to(std::int64_t count) {
  Ints result(static_cast<std::size_t>(count));
  std::iota(result.begin(), result.end(), 0);
  return result;
}

TEST(StreamLoader, ReadsFromTheBeginningInEveryPass) {
  for (const int workers : {0, 3}) {
    for (const std::int64_t count : {0, 1, 5, 6, 7}) {
      CountStream stream{count};
      const DataLoader loader(
          stream, {.batch_size = 3, .num_workers = workers});
      EXPECT_EQ(flat_pass(loader), up_to(count));
      EXPECT_EQ(flat_pass(loader), up_to(count));
      EXPECT_EQ(stream.epochs, (Ints{0, 1}));
      EXPECT_EQ(loader.epoch(), 2);
    }
  }
}

TEST(StreamLoader, SharesOutAsTheSameSamplesWithIndices) {
  for (const std::int64_t count : {0, 1, 2, 5, 12, 13, 30}) {
    for (int mode = 0; mode < 32; ++mode) {
      const DataLoaderOptions options{
          .batch_size = 6,
          .drop_last = (mode & 1) != 0,
          .num_workers = (mode & 16) != 0 ? 2 : 0};
      const ShardOptions share{
          .world_size = (mode & 8) != 0 ? 3 : 2,
          .even_batches = (mode & 2) != 0,
          .split_batches = (mode & 4) != 0};
      const Seen stream =
          iterate_ranks(DataLoader(CountStream{count}, options), share);
      const Seen map =
          iterate_ranks(DataLoader(numbers(count), options), share);
      ASSERT_EQ(stream.batches, map.batches) << count << ' ' << mode;
      ASSERT_EQ(stream.real, map.real);
      if (!options.drop_last) {
        ASSERT_EQ(stream.real, up_to(count)) << count << ' ' << mode;
      }
    }
  }
}

TEST(StreamLoader, KnowsTheLastBatchOfEachRank) {
  for (const bool even : {true, false}) {
    for (const std::int64_t count : {1, 5, 6, 7, 10}) {
      for (int rank = 0; rank < 2; ++rank) {
        const auto state = std::make_shared<GradientState>();
        const DataLoader loader =
            DataLoader(CountStream{count}, {.batch_size = 3})
                .shard(
                    {.rank = rank,
                     .world_size = 2,
                     .even_batches = even,
                     .gradient_state = state});
        std::vector<bool> ends;
        std::int64_t remainder = 0;
        for (const Batch& batch : loader) {
          (void)batch;
          ends.push_back(state->end_of_dataloader());
          remainder = state->remainder();
        }
        for (std::size_t i = 0; i < ends.size(); ++i) {
          EXPECT_EQ(ends[i], i + 1 == ends.size()) << count << ' ' << i;
        }
        if (even) {
          EXPECT_EQ(remainder, count % 6);
        }
        EXPECT_EQ(state->active_loader(), nullptr);
      }
    }
  }
}

TEST(StreamLoader, GivesRanksPartsOfTheirOwnWhereTheStreamHasThem) {
  const DataLoader loader(PartedStream{.parts = 4}, {.batch_size = 2});
  const Seen seen = iterate_ranks(loader, {.world_size = 2});
  EXPECT_THAT(
      seen.batches[0], ElementsAre(Ints{0, 1}, Ints{2, 20}, Ints{21, 22}));
  EXPECT_THAT(
      seen.batches[1], ElementsAre(Ints{10, 11}, Ints{12, 30}, Ints{31, 32}));
  // Too few parts for the ranks, and pieces of common batches: strides.
  EXPECT_EQ(
      iterate_ranks(loader, {.world_size = 6}).batches[1].front(),
      (Ints{2, 10}));
  EXPECT_EQ(
      iterate_ranks(loader, {.world_size = 2, .split_batches = true})
          .batches[1]
          .front(),
      (Ints{1}));
  EXPECT_THROW(
      (void)AnyStream(PartedStream{.parts = 2}).shard({.index = 2, .count = 2}),
      ConfigError);
  EXPECT_THROW(
      (void)AnyStream(CountStream{3}).shard({.index = 0, .count = 2}),
      ConfigError);
}

TEST(StreamLoader, BringsAFailureToTheLoopBehindTheBatchesBeforeIt) {
  for (const int workers : {0, 2}) {
    CountStream stream{10};
    stream.fails_at = 5;
    const DataLoader loader(stream, {.batch_size = 2, .num_workers = workers});
    for (int repeat = 0; repeat < 2; ++repeat) {
      int seen = 0;
      EXPECT_THAT(
          message_of<ConfigError>([&] {
            for (const Batch& batch : loader) {
              EXPECT_EQ(batch.num_samples(), 2);
              ++seen;
            }
          }),
          HasSubstr("sample 5 of the stream: unreadable"));
      EXPECT_EQ(seen, 2);
      EXPECT_EQ(loader.epoch(), 0);
    }
  }
  CountStream stream{10};
  stream.fails_at = -1;
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)DataLoader(stream).begin(); }),
      HasSubstr("restart(0) of the stream: unreadable"));
  EXPECT_EQ(flat_pass(DataLoader(CountStream{2})), (Ints{0, 1}));
}

TEST(StreamLoader, NamesTheSamplesThatDoNotFitTogether) {
  const auto refuse = [](std::span<const Example>) -> Batch {
    throw std::runtime_error("no fit");
  };
  EXPECT_THAT(
      message_of<ConfigError>([&] {
        (void)flat_pass(DataLoader(
            CountStream{3}, {.batch_size = 2, .collate = Collate(refuse)}));
      }),
      HasSubstr("collate of 2 samples from 0 of the stream: no fit"));
}

TEST(StreamLoader, IsReadByOnePassAtATime) {
  const DataLoader loader(CountStream{4}, {.batch_size = 2});
  {
    const auto first = loader.begin();
    EXPECT_THAT(
        message_of<ConfigError>([&] { (void)loader.begin(); }),
        HasSubstr("being read by another pass"));
    EXPECT_EQ(ids_of(*first), (Ints{0, 1}));
  }
  EXPECT_EQ(flat_pass(loader), up_to(4));
}

TEST(StreamLoader, RefusesWhatNeedsALengthOrAnOrder) {
  const auto make = [](DataLoaderOptions options) {
    return message_of<ConfigError>(
        [&] { DataLoader(CountStream{3}, std::move(options)); });
  };
  EXPECT_THAT(make({.shuffle = true}), HasSubstr("read in its own order"));
  EXPECT_THAT(
      make({.sampler = std::make_shared<SequentialSampler>(3)}),
      HasSubstr("read in its own order"));
  const DataLoader loader(CountStream{3}, {.batch_size = 2});
  EXPECT_THROW((void)loader.size(), ConfigError);
  EXPECT_THROW((void)loader.num_samples(), ConfigError);
  EXPECT_EQ(loader.total_batch_size(), 2);
  EXPECT_TRUE(loader.is_stream());
}

TEST(BatchSamplerLoader, DealsOutWholeBatches) {
  const auto sampler = std::make_shared<Growing>(5); // sizes 1, 2, 3, 1, 2
  const DataLoader loader(numbers(9), {.batch_sampler = sampler});
  EXPECT_EQ(loader.size(), 5);
  EXPECT_EQ(loader.num_samples(), 9);
  EXPECT_EQ(loader.batch_size(), 0);
  EXPECT_THROW((void)loader.total_batch_size(), ConfigError);
  for (const int workers : {0, 2}) {
    const DataLoader threaded(
        numbers(9), {.batch_sampler = sampler, .num_workers = workers});
    const Seen even = iterate_ranks(threaded, {.world_size = 2});
    EXPECT_THAT(
        even.batches[0], ElementsAre(Ints{0}, Ints{3, 4, 5}, Ints{7, 8}));
    EXPECT_THAT(even.batches[1], ElementsAre(Ints{1, 2}, Ints{6}, Ints{0}));
    EXPECT_EQ(even.real, up_to(9)); // the batch that comes again does not count
    const Seen uneven =
        iterate_ranks(threaded, {.world_size = 2, .even_batches = false});
    EXPECT_THAT(uneven.batches[1], ElementsAre(Ints{1, 2}, Ints{6}));
    EXPECT_EQ(uneven.real, up_to(9));
  }
}

TEST(BatchSamplerLoader, CountsTheSamplesOfAShortRound) {
  const auto state = std::make_shared<GradientState>();
  const DataLoader loader =
      DataLoader(numbers(9), {.batch_sampler = std::make_shared<Growing>(5)})
          .shard({.rank = 1, .world_size = 3, .gradient_state = state});
  for (const Batch& batch : loader) {
    (void)batch;
    EXPECT_EQ(state->remainder(), 3); // batches 3 and 4
  }
}

TEST(BatchSamplerLoader, RefusesOptionsThatDecideTheSame) {
  const auto sampler = std::make_shared<Growing>(3);
  const auto make = [&](DataLoaderOptions options) {
    options.batch_sampler = sampler;
    return message_of<ConfigError>(
        [&] { DataLoader(numbers(6), std::move(options)); });
  };
  EXPECT_THAT(make({.batch_size = 2}), HasSubstr("a batch sampler decides"));
  EXPECT_THAT(make({.shuffle = true}), HasSubstr("a batch sampler decides"));
  EXPECT_THAT(
      message_of<ConfigError>([&] {
        (void)DataLoader(numbers(6), {.batch_sampler = sampler})
            .shard({.world_size = 1, .split_batches = true});
      }),
      HasSubstr("leave split_batches out"));
  EXPECT_THAT(
      message_of<ConfigError>([&] {
        (void)flat_pass(DataLoader(
            numbers(6), {.batch_sampler = std::make_shared<Growing>(3, 1)}));
      }),
      HasSubstr("batch 1 of the batch sampler is empty"));
}

TEST(DataLoader, RefusesToShareARankAwareSamplerOnceMore) {
  struct Mine final : Sampler {
    std::int64_t size() const override {
      return 2;
    }
    SampleOrder order(std::int64_t) const override {
      return SampleOrder(2);
    }
    bool is_rank_aware() const override {
      return true;
    }
  };
  const DataLoader loader(numbers(4), {.sampler = std::make_shared<Mine>()});
  EXPECT_EQ(flat_pass(loader.shard({})), (Ints{0, 1})); // one rank: fine
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)loader.shard({.world_size = 2}); }),
      HasSubstr("'custom' gives each rank its own part already"));
}

TEST(DataLoader, TellsADatasetWhichEpochBegins) {
  struct Augmented {
    std::size_t size() const {
      return 2;
    }
    Example get(std::size_t index) const {
      return {{"id", epoch * 10 + static_cast<std::int64_t>(index)}};
    }
    void set_epoch(std::int64_t chosen) {
      epoch = chosen;
    }
    std::int64_t epoch = -1;
  };
  for (const int workers : {0, 2}) {
    DataLoader loader(Augmented(), {.num_workers = workers});
    EXPECT_EQ(flat_pass(loader), (Ints{0, 1}));
    EXPECT_EQ(flat_pass(loader), (Ints{10, 11}));
    loader.set_epoch(7);
    EXPECT_EQ(flat_pass(loader), (Ints{70, 71}));
  }
}

TEST(DataLoader, PinsBatchesWhereThereIsAGpuToCopyThem) {
  const DataLoader loader(
      numbers(3), {.batch_size = 3, .num_workers = 1, .pin_memory = true});
  for (const Batch& batch : loader) {
    EXPECT_EQ(batch["id"].is_pinned(), at::hasCUDA());
  }
  const c10::Device device = at::hasCUDA() ? at::kCUDA : at::kCPU;
  for (const bool non_blocking : {false, true}) {
    const DataLoader moved =
        loader.shard({.device = device, .non_blocking = non_blocking});
    for (const Batch& batch : moved) {
      EXPECT_EQ(batch["id"].device().type(), device.type());
      EXPECT_EQ(ids_of({{"id", batch["id"].cpu()}}), (Ints{0, 1, 2}));
    }
  }
}

TEST(DispatchedRounds, SendsEveryRankTensorsOfItsOwnShapes) {
  data::Round round{.batches = {}, .remainder = 3, .position = 12};
  round.batches.push_back(
      {.batch =
           {{"x", at::arange(6).reshape({2, 3}).t()},
            {"flag", at::full({}, true, at::kBool)},
            {"nothing", at::Tensor()}},
       .num_real = 2,
       .has_batch = true});
  round.batches.push_back(
      {.batch = {{"x", at::empty({0, 5}, at::kBFloat16)}},
       .num_real = 1,
       .has_batch = true,
       .is_last = true});
  round.batches.emplace_back();
  const at::Tensor bytes = data::pack(round);
  const auto first = data::unpack(bytes, 0);
  EXPECT_FALSE(first.is_final);
  EXPECT_EQ(first.round->remainder, 3);
  EXPECT_EQ(first.round->position, 12);
  const data::RankBatch& mine = first.round->batches.front();
  EXPECT_TRUE(at::equal(mine.batch["x"], round.batches[0].batch["x"]));
  EXPECT_TRUE(mine.batch["flag"].item<bool>());
  EXPECT_EQ(mine.batch["flag"].dim(), 0);
  EXPECT_FALSE(mine.batch["nothing"].defined());
  EXPECT_FALSE(mine.is_last);
  const auto second = data::unpack(bytes, 1);
  EXPECT_EQ(
      second.round->batches[0].batch["x"].sizes(), (at::IntArrayRef{0, 5}));
  EXPECT_EQ(second.round->batches[0].batch["x"].scalar_type(), at::kBFloat16);
  EXPECT_TRUE(second.round->batches[0].is_last);
  EXPECT_FALSE(data::unpack(bytes, 2).round->batches[0].has_batch);
  EXPECT_FALSE(data::unpack(data::pack_end(), 1).round.has_value());
  EXPECT_THAT(
      message_of<ConfigError>([] {
        (void)data::unpack(
            data::pack_failure("b\xff"
                               "d"),
            1);
      }),
      HasSubstr("rank 0, which reads for all ranks, failed: b"));
  round.batches[0].batch = {{"s", at::full({2}, 1.0).to_sparse()}};
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)data::pack(round); }),
      HasSubstr("column 's' is not a strided tensor"));
}

TEST(DispatchedLoader, WantsTheGroupOfItsRanks) {
  EXPECT_THAT(
      message_of<ConfigError>([] {
        (void)DataLoader(numbers(3))
            .shard({.world_size = 2, .dispatch_batches = true});
      }),
      HasSubstr("through a process group of 1 ranks to 2"));
  // One rank reads for itself.
  EXPECT_EQ(
      flat_pass(DataLoader(CountStream{5}, {.batch_size = 2})
                    .shard({.dispatch_batches = true})),
      up_to(5));
}

} // namespace
} // namespace accelerate
