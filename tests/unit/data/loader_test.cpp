// tests/unit/data/loader_test.cpp
#include "accelerate/data/loader.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <thread>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/full.h>

#include "accelerate/error.h"
#include "accelerate/state/gradient_state.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

static_assert(std::input_iterator<DataLoader::Iterator>);

Dataset numbers(std::int64_t count) {
  Ints ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  return Dataset(Table({{"id", Column::of(ids)}}));
}

Ints ids_of(const Batch& batch) {
  const at::Tensor& ids = batch["id"];
  const auto* data = ids.const_data_ptr<std::int64_t>();
  return Ints(data, data + ids.numel());
}

/// One pass: all ids, batch after batch.
Ints pass(const DataLoader& loader) {
  Ints ids;
  for (const Batch& batch : loader) {
    const Ints more = ids_of(batch);
    ids.insert(ids.end(), more.begin(), more.end());
  }
  return ids;
}

/// Fails at sample 5.
struct Fragile {
  std::size_t size() const {
    return 8;
  }
  Example get(std::size_t index) const {
    if (index == 5) {
      throw std::runtime_error("unreadable");
    }
    return {{"id", index}};
  }
};

TEST(DataLoader, RefusesOptionsOutOfRange) {
  const auto make = [](DataLoaderOptions options) {
    return message_of<ConfigError>(
        [&] { DataLoader(numbers(3), std::move(options)); });
  };
  EXPECT_THAT(make({.batch_size = 0}), HasSubstr("batch_size is 0"));
  EXPECT_THAT(make({.num_workers = -1}), HasSubstr("num_workers is -1"));
  EXPECT_THAT(make({.prefetch_factor = 0}), HasSubstr("prefetch_factor is 0"));
  EXPECT_THAT(
      make(
          {.shuffle = true, .sampler = std::make_shared<SequentialSampler>(3)}),
      HasSubstr("both shuffle and a sampler"));
  DataLoader loader(numbers(3));
  EXPECT_THROW(loader.set_epoch(-1), ConfigError);
  EXPECT_THROW((void)loader.shard({.rank = 1}), ConfigError);
  EXPECT_THROW((void)loader.shard({}).shard({}), ConfigError);
  EXPECT_THROW(
      (void)loader.shard({.world_size = 2, .split_batches = true}),
      ConfigError);
}

TEST(DataLoader, GivesEverySampleOnceInOrder) {
  for (const int workers : {0, 1, 3}) {
    for (const std::int64_t count : {0, 1, 2, 7, 1000}) {
      const DataLoader loader(
          numbers(count), {.batch_size = 4, .num_workers = workers});
      EXPECT_EQ(loader.size(), (count + 3) / 4);
      Ints expected(static_cast<std::size_t>(count));
      std::iota(expected.begin(), expected.end(), 0);
      EXPECT_EQ(pass(loader), expected) << count;
      EXPECT_EQ(pass(loader), expected) << count;
    }
  }
}

TEST(DataLoader, DropsTheLastBatchWhenAsked) {
  const DataLoader loader(numbers(7), {.batch_size = 4, .drop_last = true});
  EXPECT_EQ(loader.size(), 1);
  EXPECT_THAT(pass(loader), ElementsAre(0, 1, 2, 3));
}

TEST(DataLoader, ShufflesByEpochAndGoesOnAfterAFullPass) {
  DataLoader loader(
      numbers(100), {.batch_size = 8, .shuffle = true, .seed = 3});
  const Ints first = pass(loader);
  EXPECT_EQ(loader.epoch(), 1);
  const Ints second = pass(loader);
  EXPECT_NE(first, second);
  loader.set_epoch(0);
  EXPECT_EQ(pass(loader), first);
  EXPECT_EQ(pass(loader), second);
  for (const Batch& batch : loader) {
    (void)batch;
    break;
  }
  EXPECT_EQ(loader.epoch(), 2); // an unfinished pass is repeated
  Ints sorted = pass(loader);
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, pass(DataLoader(numbers(100))));
}

TEST(DataLoader, TakesItsSeedFromTheDefaultGenerator) {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::uint64_t before = generator.current_seed();
  generator.set_current_seed(123);
  EXPECT_EQ(DataLoader(numbers(3)).seed(), 123U);
  generator.set_current_seed(before);
  EXPECT_EQ(DataLoader(numbers(3), {.seed = 5}).seed(), 5U);
}

TEST(DataLoader, GivesTheSameBatchesWithAndWithoutThreads) {
  DataLoaderOptions options{.batch_size = 6, .shuffle = true, .seed = 1};
  const Ints expected = pass(DataLoader(numbers(500), options));
  options.num_workers = 3;
  options.prefetch_factor = 1;
  EXPECT_EQ(pass(DataLoader(numbers(500), options)), expected);
}

TEST(DataLoader, StopsEarlyAndStartsAgain) {
  for (const int workers : {0, 2}) {
    const DataLoader loader(
        numbers(1000), {.batch_size = 2, .num_workers = workers});
    for (int repeat = 0; repeat < 5; ++repeat) {
      int seen = 0;
      for (const Batch& batch : loader) {
        EXPECT_EQ(ids_of(batch).front(), 2 * seen);
        if (++seen == 3) {
          break;
        }
      }
    }
  }
}

TEST(DataLoader, LeavesABatchAloneThatTheUserKept) {
  const DataLoader loader(numbers(12), {.batch_size = 4, .num_workers = 1});
  std::vector<Batch> kept;
  for (const Batch& batch : loader) {
    kept.push_back(batch);
  }
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_THAT(ids_of(kept[0]), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(ids_of(kept[2]), ElementsAre(8, 9, 10, 11));
}

TEST(DataLoader, BringsAFailureToTheLoopWithTheSampleNamed) {
  for (const int workers : {0, 1, 3}) {
    const DataLoader loader(
        Fragile(), {.batch_size = 2, .num_workers = workers});
    for (int repeat = 0; repeat < 3; ++repeat) {
      int seen = 0;
      EXPECT_THAT(
          message_of<ConfigError>([&] {
            for (const Batch& batch : loader) {
              EXPECT_EQ(batch.num_samples(), 2);
              ++seen;
            }
          }),
          HasSubstr("sample 5: unreadable"));
      EXPECT_EQ(seen, 2); // the batches before it arrive
    }
    EXPECT_EQ(loader.epoch(), 0);
  }
}

TEST(DataLoader, RefusesASamplerBeyondTheDataset) {
  const DataLoader loader(
      numbers(3), {.sampler = std::make_shared<SequentialSampler>(4)});
  EXPECT_THAT(
      message_of<ConfigError>([&] { (void)pass(loader); }),
      HasSubstr("the sampler gave sample 3 of a dataset with 3 samples"));
}

TEST(DataLoader, SharesBatchesBetweenRanks) {
  const DataLoader loader(numbers(20), {.batch_size = 3});
  const DataLoader first = loader.shard({.rank = 0, .world_size = 2});
  const DataLoader second = loader.shard({.rank = 1, .world_size = 2});
  EXPECT_TRUE(first.is_sharded() && !loader.is_sharded());
  EXPECT_EQ(first.size(), 4);
  EXPECT_EQ(first.total_batch_size(), 6);
  EXPECT_EQ(first.num_samples(), 20);
  EXPECT_THAT(
      pass(first), ElementsAre(0, 1, 2, 6, 7, 8, 12, 13, 14, 18, 19, 0));
  EXPECT_THAT(
      pass(second), ElementsAre(3, 4, 5, 9, 10, 11, 15, 16, 17, 1, 2, 3));
  EXPECT_EQ(loader.epoch(), 0); // a share has an epoch of its own
  EXPECT_EQ(first.epoch(), 1);
}

TEST(DataLoader, RanksShuffleAlikeWithTheSeedOfTheShare) {
  Ints all;
  for (int rank = 0; rank < 3; ++rank) {
    const DataLoader loader(
        numbers(36),
        {.batch_size = 4,
         .shuffle = true,
         .seed = static_cast<std::uint64_t>(rank)});
    const DataLoader share =
        loader.shard({.rank = rank, .world_size = 3, .seed = 77});
    EXPECT_EQ(share.seed(), 77U);
    const Ints ids = pass(share);
    all.insert(all.end(), ids.begin(), ids.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, pass(DataLoader(numbers(36))));
}

TEST(DataLoader, AnnouncesItselfAndItsEndToTheStep) {
  const auto state = std::make_shared<GradientState>();
  const DataLoader loader =
      DataLoader(numbers(7), {.batch_size = 2})
          .shard({.rank = 1, .world_size = 2, .gradient_state = state});
  std::vector<bool> ends;
  Ints valid;
  for (const Batch& batch : loader) {
    (void)batch;
    ASSERT_NE(state->active_loader(), nullptr);
    EXPECT_EQ(state->remainder(), 3);
    ends.push_back(state->end_of_dataloader());
    valid.push_back(state->valid_samples());
  }
  EXPECT_THAT(ends, ElementsAre(false, true));
  EXPECT_THAT(valid, ElementsAre(2, 1)); // [2, 3], then [6, 0]
  EXPECT_EQ(state->active_loader(), nullptr);
  for (const Batch& batch : loader) {
    (void)batch;
    break;
  }
  EXPECT_EQ(state->active_loader(), nullptr);
}

TEST(DataLoader, LeavesTheStepWhenAPassEndsOrFails) {
  const auto state = std::make_shared<GradientState>();
  const ShardOptions share{.gradient_state = state};
  const DataLoader loader = DataLoader(Fragile(), {.batch_size = 4});
  auto batch = loader.shard(share).begin();
  EXPECT_NE(state->active_loader(), nullptr);
  EXPECT_THROW(++batch, ConfigError); // the iterator lives on
  EXPECT_TRUE(batch == std::default_sentinel);
  EXPECT_EQ(state->active_loader(), nullptr);

  auto last = DataLoader(numbers(1)).shard(share).begin();
  EXPECT_TRUE(state->end_of_dataloader());
  ++last;
  EXPECT_EQ(state->active_loader(), nullptr);
}

TEST(DataLoader, GivesEachThreadItsOwnCopyOfADatasetThatChanges) {
  struct Counting {
    std::size_t size() const {
      return 64;
    }
    Example get(std::size_t index) {
      ++reads;
      return {{"id", index}};
    }
    int reads = 0;
  };
  Counting dataset;
  const Ints threaded = pass(DataLoader(dataset, {.num_workers = 3}));
  EXPECT_EQ(dataset.reads, 0);
  EXPECT_EQ(pass(DataLoader(dataset)), threaded);
  EXPECT_EQ(dataset.reads, 64);
}

TEST(DataLoader, NestsLoops) {
  const auto state = std::make_shared<GradientState>();
  const ShardOptions share{.gradient_state = state};
  const DataLoader outer =
      DataLoader(numbers(4), {.batch_size = 4}).shard(share);
  const DataLoader inner =
      DataLoader(numbers(4), {.batch_size = 1}).shard(share);
  for (const Batch& batch : outer) {
    (void)batch;
    EXPECT_TRUE(state->end_of_dataloader());
    for (const Batch& sample : inner) {
      EXPECT_EQ(state->end_of_dataloader(), ids_of(sample).front() == 3);
    }
    EXPECT_TRUE(state->end_of_dataloader());
  }
}

TEST(DataLoader, TellsTheLastBatchThroughTheIterator) {
  const DataLoader loader(numbers(5), {.batch_size = 4});
  auto batch = loader.begin();
  EXPECT_FALSE(batch.is_last());
  EXPECT_EQ(batch.valid_samples(), 4);
  ++batch;
  EXPECT_TRUE(batch.is_last());
  EXPECT_EQ(batch->num_samples(), 1);
  batch++;
  EXPECT_TRUE(batch == loader.end());
}

TEST(DataLoader, IteratesATemporary) {
  int batches = 0;
  for (const Batch& batch : DataLoader(numbers(3))) {
    batches += static_cast<int>(batch.num_samples());
  }
  EXPECT_EQ(batches, 3);
}

} // namespace
} // namespace accelerate
