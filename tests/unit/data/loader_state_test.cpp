// tests/unit/data/loader_state_test.cpp: stop anywhere, go on elsewhere.
#include "accelerate/data/loader_state.h"

#include <algorithm>
#include <functional>
#include <string>

#include "accelerate/error.h"
#include "loader_kinds.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::HasSubstr;

/// Loaders of one kind; `seed` is of the process, which a state replaces.
struct Kind {
  std::string name;
  std::function<DataLoader(std::uint64_t seed, int workers)> make;
};

std::vector<Kind> kinds() {
  const auto map = [](bool drop_last) {
    return [drop_last](std::uint64_t seed, int workers) {
      return DataLoader(
          numbers(23),
          {.batch_size = 4,
           .shuffle = true,
           .seed = seed,
           .drop_last = drop_last,
           .num_workers = workers});
    };
  };
  return {
      {"shuffled", map(false)},
      {"dropping", map(true)},
      {"weighted",
       [](std::uint64_t, int workers) {
         return DataLoader(
             numbers(23),
             {.batch_size = 4,
              .sampler =
                  std::make_shared<WeightedSampler>(WeightedSamplerOptions{
                      .weights = std::vector<double>(23, 1), .seed = 3}),
              .num_workers = workers});
       }},
      {"batches",
       [](std::uint64_t, int workers) {
         return DataLoader(
             numbers(23),
             {.batch_sampler = std::make_shared<Growing>(11),
              .num_workers = workers});
       }},
      {"stream", [](std::uint64_t, int workers) {
         return DataLoader(
             CountStream{23}, {.batch_size = 4, .num_workers = workers});
       }}};
}

using Batches = std::vector<Ints>;

/// Two epochs, interrupted never.
Batches undisturbed(const DataLoader& loader) {
  Batches seen;
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (const Batch& batch : loader) {
      seen.push_back(ids_of(batch));
    }
  }
  return seen;
}

/// Takes `count` batches in passes over two epochs.
DataLoaderState
take(const DataLoader& loader, std::size_t count, Batches& seen) {
  while (true) {
    for (const Batch& batch : loader) {
      if (seen.size() == count) {
        return loader.state();
      }
      seen.push_back(ids_of(batch));
      if (seen.size() == count) {
        return loader.state(); // in the loop, while threads make more
      }
    }
  }
}

TEST(DataLoaderState, GoesOnExactlyWhereItStopped) {
  for (const Kind& kind : kinds()) {
    for (const int workers : {0, 2}) {
      for (int world = 1; world <= 2; ++world) {
        const ShardOptions share{.rank = world - 1, .world_size = world};
        const Batches expected = undisturbed(kind.make(7, 0).shard(share));
        for (std::size_t stop = 1; stop < expected.size(); ++stop) {
          Batches seen;
          const std::string saved =
              take(kind.make(7, workers).shard(share), stop, seen).to_json();
          DataLoader resumed = kind.make(99, workers).shard(share);
          resumed.load_state(DataLoaderState::from_json(saved));
          while (resumed.epoch() < 2) {
            for (const Batch& batch : resumed) {
              seen.push_back(ids_of(batch));
            }
          }
          ASSERT_EQ(seen, expected)
              << kind.name << ' ' << workers << " workers, " << world
              << " ranks, after " << stop;
        }
      }
    }
  }
}

// The first `stop` rounds in a world of `before`, the rest in one of `after`.
TEST(DataLoaderState, GivesEveryRemainingSampleOnceToOtherNumbersOfRanks) {
  for (const Kind& kind : kinds()) {
    if (kind.name == "dropping") {
      continue; // leaves out what fills no round of the new world
    }
    for (const int before : {1, 2, 3}) {
      for (const int after : {1, 2, 4}) {
        for (int stop = 0; stop < 3; ++stop) {
          Ints seen;
          const auto count = [&](DataLoader loader, int limit) {
            int number = 0;
            DataLoaderState state = loader.state();
            for (auto batch = loader.begin();
                 number < limit && batch != loader.end();
                 ++batch, ++number) {
              const Ints ids = ids_of(*batch);
              seen.insert(
                  seen.end(), ids.begin(), ids.begin() + batch.valid_samples());
              state = loader.state();
            }
            return state;
          };
          DataLoaderState state;
          for (int rank = 0; rank < before; ++rank) {
            state = count(
                kind.make(7, 0).shard({.rank = rank, .world_size = before}),
                stop);
          }
          for (int rank = 0; rank < after; ++rank) {
            DataLoader loader =
                kind.make(8, 0).shard({.rank = rank, .world_size = after});
            loader.load_state(state);
            count(loader, 100);
          }
          Ints all = flat_pass(kind.make(7, 0));
          std::sort(all.begin(), all.end());
          std::sort(seen.begin(), seen.end());
          ASSERT_EQ(seen, all)
              << kind.name << ' ' << before << ' ' << after << ' ' << stop;
        }
      }
    }
  }
}

TEST(DataLoaderState, CountsWhatTheUserTookAndNotWhatThreadsMade) {
  const DataLoader loader(numbers(100), {.batch_size = 10, .num_workers = 2});
  EXPECT_EQ(loader.state().position, 0);
  for (const Batch& batch : loader) {
    (void)batch;
    EXPECT_EQ(loader.state().position, 10);
    break;
  }
  EXPECT_EQ(loader.state().position, 10); // at the break
  (void)flat_pass(loader);
  EXPECT_EQ(loader.state().epoch, 1);
  EXPECT_EQ(loader.state().position, 0);
}

TEST(DataLoaderState, SurvivesALoopThatNamesItsEpoch) {
  DataLoader loader(numbers(4), {.batch_size = 1});
  DataLoaderState state = loader.state();
  state.epoch = 2;
  state.position = 3;
  loader.load_state(state);
  EXPECT_EQ(loader.state(), state);
  loader.set_epoch(2);
  EXPECT_EQ(flat_pass(loader), (Ints{3}));
  EXPECT_EQ(flat_pass(loader), (Ints{0, 1, 2, 3})); // once
  state.position = 4; // taken in the last batch
  loader.load_state(state);
  EXPECT_EQ(flat_pass(loader), Ints());
  EXPECT_EQ(loader.epoch(), 3);
  loader.load_state(state);
  loader.set_epoch(5);
  EXPECT_EQ(flat_pass(loader), (Ints{0, 1, 2, 3}));
}

TEST(DataLoaderState, RefusesWhatDoesNotFit) {
  const auto message = [](DataLoader loader, const DataLoader& other) {
    return message_of<ConfigError>([&] { loader.load_state(other.state()); });
  };
  const DataLoader plain(numbers(5), {.batch_size = 2});
  const auto weighted = [](std::uint64_t seed) {
    return DataLoader(
        numbers(5),
        {.batch_size = 2,
         .sampler = std::make_shared<WeightedSampler>(WeightedSamplerOptions{
             .weights = {1, 1, 1, 1, 1}, .seed = seed})});
  };
  EXPECT_THAT(
      message(plain, DataLoader(CountStream{5}, {.batch_size = 2})),
      HasSubstr("field 'kind' is 'stream', this loader has 'map'"));
  EXPECT_THAT(
      message(
          plain, DataLoader(numbers(5), {.batch_size = 2, .shuffle = true})),
      HasSubstr("field 'sampler' is 'random', this loader has 'sequential'"));
  EXPECT_THAT(
      message(plain, DataLoader(numbers(6), {.batch_size = 2})),
      HasSubstr("field 'num_samples' is '6', this loader has '5'"));
  EXPECT_THAT(
      message(plain, DataLoader(numbers(5), {.batch_size = 3})),
      HasSubstr("field 'batch_size' is '3', this loader has '2'"));
  EXPECT_THAT(
      message(weighted(1), weighted(2)),
      HasSubstr("field 'seed' is '2', this loader has '1'"));
  const DataLoader parted(PartedStream{.parts = 4}, {.batch_size = 2});
  EXPECT_THAT(
      message(
          parted.shard({.rank = 0, .world_size = 2}),
          parted.shard({.rank = 1, .world_size = 2})),
      HasSubstr("field 'rank' is '1', this loader has '0'"));
  EXPECT_THAT(
      message(
          parted.shard({.rank = 0, .world_size = 2}),
          parted.shard({.rank = 0, .world_size = 4})),
      HasSubstr("field 'world_size' is '4', this loader has '2'"));
  DataLoaderState state = plain.state();
  state.position = 6;
  EXPECT_THAT(
      message_of<ConfigError>([&] { DataLoader(plain).load_state(state); }),
      HasSubstr("field 'position' is 6"));
}

TEST(DataLoaderState, ReadsItsOwnJsonAndNamesABadField) {
  DataLoaderState state{
      .kind = "map",
      .sampler = "random",
      .seed = UINT64_MAX,
      .epoch = 3,
      .position = 17,
      .num_samples = 20,
      .batch_size = 4,
      .world_size = 2};
  const std::string json = state.to_json();
  EXPECT_EQ(DataLoaderState::from_json(json), state);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = json;
    text.replace(text.find(from), from.size(), to);
    return message_of<ConfigError>(
        [&] { (void)DataLoaderState::from_json(text); });
  };
  EXPECT_THAT(
      changed("\"epoch\":3,", ""), HasSubstr("field 'epoch' is missing"));
  EXPECT_THAT(
      changed("\"epoch\":3", "\"epoch\":-1"),
      HasSubstr("field 'epoch' is -1, expected at least 0"));
  EXPECT_THAT(
      changed("\"epoch\":3", "\"epoch\":3.5"),
      HasSubstr("field 'epoch' is 3.5, expected a whole number"));
  EXPECT_THAT(
      changed("\"position\":17", "\"position\":18446744073709551615"),
      HasSubstr("field 'position' is 18446744073709551615"));
  EXPECT_THAT(
      changed("\"random\"", "5"),
      HasSubstr("field 'sampler' is 5, expected a text"));
  EXPECT_THAT(
      changed("\"version\":1", "\"version\":2"),
      HasSubstr("field 'version' is 2, this build reads 1"));
  EXPECT_THAT(
      changed("\"rank\":0", "\"rank\":0,\"more\":1"), HasSubstr("11 fields"));
  for (const char* text : {"", "[]", "7", "{"}) {
    EXPECT_THROW((void)DataLoaderState::from_json(text), ConfigError) << text;
  }
}

TEST(SkipFirstBatches, ReadsNothingOfADatasetWithIndices) {
  struct Counting {
    std::size_t size() const {
      return 20;
    }
    Example get(std::size_t index) {
      ++*reads;
      return {{"id", index}};
    }
    std::shared_ptr<int> reads = std::make_shared<int>(0);
  };
  const Counting dataset;
  const DataLoader loader(Counting(dataset), {.batch_size = 3});
  DataLoader rest = skip_first_batches(loader, 5);
  EXPECT_EQ(rest.size(), 2);
  EXPECT_EQ(flat_pass(rest), (Ints{15, 16, 17, 18, 19}));
  EXPECT_EQ(*dataset.reads, 5);
  EXPECT_EQ(loader.epoch(), 1); // one epoch for both
  EXPECT_EQ(flat_pass(skip_first_batches(rest, 2)), Ints());
  EXPECT_EQ(loader.epoch(), 2);
  EXPECT_EQ(skip_first_batches(loader, 100).size(), 0);
  EXPECT_THROW((void)skip_first_batches(loader, -1), ConfigError);
}

TEST(SkipFirstBatches, LeavesOutTheSameBatchesOfEveryKind) {
  for (const Kind& kind : kinds()) {
    for (const int workers : {0, 2}) {
      const ShardOptions share{.rank = 1, .world_size = 2};
      Batches all;
      for (const Batch& batch : kind.make(7, 0).shard(share)) {
        all.push_back(ids_of(batch));
      }
      for (std::size_t skip = 0; skip <= all.size() + 1; ++skip) {
        Batches seen;
        for (const Batch& batch : skip_first_batches(
                 kind.make(7, workers).shard(share),
                 static_cast<std::int64_t>(skip))) {
          seen.push_back(ids_of(batch));
        }
        const Batches expected(
            all.begin() +
                std::min<std::ptrdiff_t>(
                    static_cast<std::ptrdiff_t>(skip),
                    static_cast<std::ptrdiff_t>(all.size())),
            all.end());
        ASSERT_EQ(seen, expected) << kind.name << ' ' << skip;
      }
    }
  }
}

} // namespace
} // namespace accelerate
