// tests/unit/data/batch_shard_test.cpp
#include "accelerate/data/batch_shard.h"

#include <fstream>
#include <numeric>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "accelerate/error.h"
#include "throws_with.h"

namespace accelerate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// All batches of one rank as the golden file writes them: "0,1|2,3".
std::string written(const BatchShard& shard) {
  std::string text;
  for (std::int64_t i = 0; i < shard.num_batches(); ++i) {
    text += i == 0 ? "" : "|";
    const char* separator = "";
    for (const std::int64_t position : shard.positions(i)) {
      text += concat(separator, position);
      separator = ",";
    }
  }
  return text;
}

TEST(BatchShard, RefusesImpossibleOptions) {
  EXPECT_THAT(
      message_of<ConfigError>([] { BatchShard(3, {.batch_size = 0}); }),
      HasSubstr("batch_size is 0, expected at least 1"));
  EXPECT_THAT(
      message_of<ConfigError>(
          [] { BatchShard(3, {.rank = 2, .world_size = 2}); }),
      HasSubstr("rank 2 of a world of 2"));
  EXPECT_THAT(
      message_of<ConfigError>([] {
        BatchShard(
            3, {.batch_size = 3, .world_size = 2, .split_batches = true});
      }),
      HasSubstr("batch_size must be a multiple of 2"));
  EXPECT_THROW(BatchShard(-1, {}), ConfigError);
  EXPECT_THROW(BatchShard(3, {.rank = -1}), ConfigError);
  EXPECT_THROW(BatchShard(3, {.world_size = 0}), ConfigError);
  EXPECT_THROW(BatchShard(3, {.start = -1}), ConfigError);
  EXPECT_THROW((void)BatchShard(3, {}).slots(3), ConfigError);
}

TEST(BatchShard, GivesEachRankTheBatchesOfTheOriginal) {
  std::ifstream file(ACCELERATE_TEST_DATA "/parity/golden/sharding.json");
  const auto golden = nlohmann::json::parse(file);
  const std::int64_t max_samples = golden.at("max_samples");
  std::set<std::string> keys;
  for (const auto& [key, rows] : golden.at("cases").items()) {
    keys.insert(key);
    std::istringstream words(key);
    BatchShardOptions options;
    words >> options.world_size >> options.batch_size >> options.drop_last >>
        options.split_batches >> options.even_batches;
    ASSERT_TRUE(words) << key;
    ASSERT_EQ(rows.size(), static_cast<std::size_t>(max_samples + 1));
    for (std::int64_t samples = 0; samples <= max_samples; ++samples) {
      const auto& row = rows.at(static_cast<std::size_t>(samples));
      ASSERT_EQ(row.at("b").size(), options.world_size);
      for (options.rank = 0; options.rank < options.world_size;
           ++options.rank) {
        const BatchShard shard(samples, options);
        ASSERT_EQ(
            written(shard),
            row.at("b").at(static_cast<std::size_t>(options.rank)))
            << key << ", samples " << samples << ", rank " << options.rank;
        ASSERT_EQ(shard.remainder(), row.at("r")) << key << ' ' << samples;
      }
    }
  }
  // Worlds 1 to 4, six batch sizes, 2 × 2 modes, and split where it divides.
  std::set<std::string> expected;
  for (int world = 1; world <= 4; ++world) {
    for (const int batch_size : {1, 2, 3, 4, 8, 12}) {
      for (int mode = 0; mode < 8; ++mode) {
        const bool split = (mode & 2) != 0;
        if (split && batch_size % world != 0) {
          continue;
        }
        expected.insert(concat(
            world, ' ', batch_size, ' ', mode >> 2, ' ', split, ' ', mode & 1));
      }
    }
  }
  EXPECT_EQ(keys, expected);
}

/// What a rank gets that takes round after round from data without a length.
std::string written_rounds(
    std::int64_t num_samples,
    const BatchShardOptions& options) {
  const RoundShard shard(options);
  std::string text;
  for (std::int64_t first = 0; first < num_samples;
       first += shard.round_size()) {
    const std::int64_t count =
        std::min(num_samples - first, shard.round_size());
    const BatchSlots batch = shard.slots(count);
    if (batch.size == 0) {
      continue;
    }
    const char* separator = first == 0 ? "" : "|";
    for (std::int64_t slot = batch.first; slot < batch.first + batch.size;
         ++slot) {
      // Only the first round is kept to fill up the last one.
      const std::int64_t kept = std::min(num_samples, shard.round_size());
      text += concat(
          separator, slot < count ? first + slot : (slot - count) % kept);
      separator = ",";
    }
  }
  return text;
}

TEST(RoundShard, DealsOutDataWithoutALengthAsTheOriginal) {
  std::ifstream file(ACCELERATE_TEST_DATA
                     "/parity/golden/stream_sharding.json");
  const auto golden = nlohmann::json::parse(file);
  const std::int64_t max_samples = golden.at("max_samples");
  int num_cases = 0;
  for (const bool dispatches : {false, true}) {
    for (const auto& [key, rows] :
         golden.at(dispatches ? "dispatch" : "stride").items()) {
      std::istringstream words(key);
      BatchShardOptions options{.dispatch_batches = dispatches};
      words >> options.world_size >> options.batch_size >> options.drop_last >>
          options.split_batches;
      for (std::int64_t samples = 0; samples <= max_samples; ++samples) {
        const auto& row = rows.at(static_cast<std::size_t>(samples));
        for (options.rank = 0; options.rank < options.world_size;
             ++options.rank, ++num_cases) {
          const std::string expected =
              row.at(static_cast<std::size_t>(options.rank));
          const BatchShard shard(samples, options);
          // The original has no more than one repetition of each sample here,
          // and leaves the other ranks without any.
          if (dispatches && samples > 0 && samples * 2 < options.world_size &&
              options.rank >= samples * 2) {
            ASSERT_EQ(expected, "");
            ASSERT_TRUE(shard.num_batches() == 1 || options.drop_last);
            continue;
          }
          ASSERT_EQ(written(shard), expected) << key << ' ' << samples;
          ASSERT_EQ(written_rounds(samples, options), expected)
              << key << ' ' << samples;
        }
      }
    }
  }
  // Worlds 1 to 4, batch sizes 1 to 5, with and without drop_last, and the
  // sizes that each world divides once more: 5 + 2 + 1 + 1 of them.
  EXPECT_EQ(num_cases, 2 * 2 * 31 * (5 * 10 + 1 * 5 + 2 * 2 + 3 * 1 + 4 * 1));
}

TEST(BatchShard, DealsOutBatchesOfNoCommonSizeAsTheOriginal) {
  std::ifstream file(ACCELERATE_TEST_DATA
                     "/parity/golden/stream_sharding.json");
  const auto golden = nlohmann::json::parse(file);
  int num_cases = 0;
  for (const auto& [key, rows] : golden.at("varying").items()) {
    std::istringstream words(key);
    BatchShardOptions options;
    words >> options.world_size >> options.drop_last >> options.even_batches;
    for (std::size_t count = 0; count < rows.size(); ++count) {
      for (options.rank = 0; options.rank < options.world_size;
           ++options.rank, ++num_cases) {
        ASSERT_EQ(
            written(BatchShard(static_cast<std::int64_t>(count), options)),
            rows.at(count).at(static_cast<std::size_t>(options.rank)))
            << key << ' ' << count << ' ' << options.rank;
      }
    }
  }
  EXPECT_EQ(num_cases, 10 * 4 * 31);
}

// In every mode without drop_last the real slots of all ranks are every
// position once; with drop_last, none twice. Also from the middle on.
TEST(BatchShard, CountsEverySampleOnceAmongTheRealOnes) {
  constexpr std::int64_t kStart = 5;
  for (const int world : {1, 2, 3, 4}) {
    for (const std::int64_t samples : {0, 1, 2, 7, 1000}) {
      for (int mode = 0; mode < 32; ++mode) {
        BatchShardOptions options{
            .batch_size = 12,
            .drop_last = (mode & 4) != 0,
            .world_size = world,
            .even_batches = (mode & 1) != 0,
            .split_batches = (mode & 2) != 0,
            .dispatch_batches = (mode & 8) != 0,
            .start = (mode & 16) != 0 ? kStart : 0};
        std::vector<int> visits(static_cast<std::size_t>(samples));
        for (options.rank = 0; options.rank < world; ++options.rank) {
          const BatchShard shard(samples, options);
          for (std::int64_t i = 0; i < shard.num_batches(); ++i) {
            const auto positions = shard.positions(i);
            const auto num_real =
                static_cast<std::size_t>(shard.slots(i).num_real);
            ASSERT_LE(num_real, positions.size());
            for (std::size_t slot = 0; slot < num_real; ++slot) {
              ++visits[static_cast<std::size_t>(positions[slot])];
            }
          }
        }
        for (std::int64_t i = 0; i < samples; ++i) {
          const int count = visits[static_cast<std::size_t>(i)];
          ASSERT_LE(count, i < options.start ? 0 : 1);
          ASSERT_TRUE(count == 1 || options.drop_last || i < options.start)
              << world << ' ' << samples << ' ' << mode;
        }
      }
    }
  }
}

TEST(BatchShard, SaysHowManySamplesAreRepeated) {
  const BatchShardOptions first{.batch_size = 3, .world_size = 2};
  BatchShardOptions second = first;
  second.rank = 1;
  // 20 samples: the last round is [18, 19, 0] and [1, 2, 3].
  EXPECT_THAT(BatchShard(20, first).positions(3), ElementsAre(18, 19, 0));
  EXPECT_EQ(BatchShard(20, first).slots(3).num_real, 2);
  EXPECT_THAT(BatchShard(20, second).positions(3), ElementsAre(1, 2, 3));
  EXPECT_EQ(BatchShard(20, second).slots(3).num_real, 0);
  EXPECT_EQ(BatchShard(20, second).slots(2).num_real, 3);
  EXPECT_EQ(BatchShard(20, second).total_batch_size(), 6);
}

} // namespace
} // namespace accelerate
