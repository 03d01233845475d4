// tests/unit/io/weight_index_test.cpp: which tensors go where. Indexes from
// strangers: safetensors_shards_test.cpp.
#include "accelerate/io/weight_index.h"

#include "accelerate/error.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/file_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace accelerate::io {
namespace {

using test::TempDir;
using test::write_file;
using ::testing::ElementsAre;

TEST(WeightIndex, ClosesAShardBeforeItWouldBeTooLarge) {
  const auto plan = [](const std::vector<std::uint64_t>& bytes) {
    return plan_shards(bytes, 10);
  };
  using Shard = std::vector<std::size_t>;
  EXPECT_THAT(plan({}), ElementsAre(Shard{}));
  EXPECT_THAT(plan({10}), ElementsAre(Shard{0}));
  EXPECT_THAT(plan({4, 6, 1}), ElementsAre(Shard{0, 1}, Shard{2}));
  // The large one is set apart, and the shard being filled goes on.
  EXPECT_THAT(plan({4, 11, 6}), ElementsAre(Shard{1}, Shard{0, 2}));
  EXPECT_THAT(plan({0, 10, 0}), ElementsAre(Shard{0, 1, 2}));
}

TEST(WeightIndex, NamesTheFilesOfACheckpoint) {
  const TempDir folder;
  EXPECT_THROW((void)find_checkpoint(folder.path()), CheckpointError);
  const auto index = folder / weight_index_name("model");
  write_file(
      index,
      render_weight_index(
          {{"a", "two.safetensors"},
           {"b", "one.safetensors"},
           {"c", "two.safetensors"}},
          3));
  EXPECT_EQ(find_checkpoint(folder.path()), index);
  EXPECT_TRUE(is_weight_index(index));
  EXPECT_THAT(
      weight_files(index),
      ElementsAre(folder / "one.safetensors", folder / "two.safetensors"));
  const auto single = folder / "model.safetensors";
  write_file(single, "");
  EXPECT_EQ(find_checkpoint(folder.path()), single);
  EXPECT_THAT(weight_files(single), ElementsAre(single));
}

TEST(WeightIndex, RemovesOnlyFilesOfTheSameName) {
  const TempDir folder;
  const char* const kNames[] = {
      "model.safetensors",
      "model-00001-of-00002.safetensors",
      "model-00001-of-2.safetensors",
      "model_head.safetensors",
      "other-00001-of-00002.safetensors",
      "model.bin"};
  for (const char* name : kNames) {
    write_file(folder / name, "");
  }
  remove_stale_shards(folder.path(), "model", {"model.safetensors"});
  for (const char* name : kNames) {
    EXPECT_EQ(
        std::filesystem::exists(folder / name),
        std::string(name) != "model-00001-of-00002.safetensors")
        << name;
  }
}

} // namespace
} // namespace accelerate::io
