// tests/unit/io/safetensors_shards_test.cpp: indexes from strangers, and shards
// equal to those of the Python library.
#include "accelerate/io/safetensors_shards.h"

#include "accelerate/error.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/file_bytes.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace accelerate {
namespace {

using test::read_file;
using test::TempDir;
using test::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path kGolden =
    std::filesystem::path(ACCELERATE_TEST_DATA) / "unit/io/golden/sharded";

/// The tensors that tools/golden/safetensors_golden.py saves in shards.
std::vector<NamedTensor> golden_tensors() {
  std::vector<NamedTensor> tensors;
  const auto add = [&](const char* name, int size) {
    const int start = 100 * static_cast<int>(tensors.size());
    tensors.push_back(
        {name, at::arange(start, start + size, at::dtype(at::kFloat))});
  };
  add("a", 4);
  add("b", 5);
  add("c", 2);
  add("big", 12);
  add("d", 1);
  add("e", 9);
  add("f", 0);
  return tensors;
}

std::string refusal(const std::filesystem::path& path) {
  try {
    (void)open_safetensors(path);
  } catch (const CheckpointError& e) {
    return e.what();
  }
  return "(accepted)";
}

std::string index_of(const std::string& weight_map) {
  return R"({"metadata":{"total_size":4},"weight_map":)" + weight_map + "}";
}

TEST(SafetensorsShards, WritesTheFilesThatThePythonLibraryWrites) {
  const TempDir folder;
  const auto names = save_safetensors_sharded(
      folder / "new", golden_tensors(), {.max_shard_bytes = 40});
  EXPECT_THAT(
      names,
      ElementsAre(
          "model-00001-of-00004.safetensors",
          "model-00002-of-00004.safetensors",
          "model-00003-of-00004.safetensors",
          "model-00004-of-00004.safetensors",
          "model.safetensors.index.json"));
  for (const std::string& name : names) {
    const std::string expected = read_file(kGolden / name);
    EXPECT_EQ(read_file(folder / "new" / name), expected) << name;
  }
}

TEST(SafetensorsShards, ReadsWhatThePythonLibraryWrote) {
  for (const auto& path : {kGolden, kGolden / "model.safetensors.index.json"}) {
    const SafetensorsIndex index = open_safetensors(path);
    EXPECT_EQ(index.files().size(), 4u);
    EXPECT_EQ(index.names().size(), 7u);
    for (const auto& [name, expected] : golden_tensors()) {
      EXPECT_TRUE(at::equal(index.tensor(name), expected)) << name;
      EXPECT_TRUE(at::equal(index.copy(name), expected)) << name;
    }
    EXPECT_THROW((void)index.tensor("g"), CheckpointError);
  }
}

TEST(SafetensorsShards, RefusesFileNamesThatCouldLeaveTheFolder) {
  const TempDir folder;
  std::filesystem::create_directories(folder / "in");
  save_safetensors(folder / "secret.safetensors", {{"w", at::ones({1})}});
  const auto path = folder / "in/model.safetensors.index.json";
  for (const char* name :
       {"../secret.safetensors",
        "/etc/passwd",
        "/x.safetensors",
        "sub/x.safetensors",
        "sub\\\\x.safetensors",
        "secret.bin",
        ".safetensors",
        "",
        "a b.safetensors",
        "\\u00e9.safetensors",
        "x.safetensors\\u0000"}) {
    write_file(path, index_of(concat(R"({"w":")", name, R"("})")));
    const std::string message = refusal(folder / "in");
    EXPECT_THAT(message, HasSubstr("tensor 'w'")) << name;
    EXPECT_THAT(message, HasSubstr("is not a plain name")) << name;
    EXPECT_THAT(message, HasSubstr(path.string())) << name;
  }
}

TEST(SafetensorsShards, RefusesMalformedIndexes) {
  const TempDir folder;
  const auto path = folder / "model.safetensors.index.json";
  const std::vector<std::pair<std::string, const char*>> rows = {
      {"", "not valid"},
      {"[]", "has no object 'weight_map'"},
      {"{}", "has no object 'weight_map'"},
      {index_of("[]"), "has no object 'weight_map'"},
      {index_of(R"({"w":1})"), "tensor 'w': the name of its file"},
      {index_of(R"({"w":"a.safetensors","w":"b.safetensors"})"), "twice"},
      {index_of(std::string(100000, '[')), "deeper than 16"},
      {index_of(R"({"w":"gone.safetensors"})"), "gone.safetensors"}};
  for (const auto& [bytes, says] : rows) {
    write_file(path, bytes);
    EXPECT_THAT(refusal(folder.path()), HasSubstr(says));
  }
}

TEST(SafetensorsShards, RefusesAnIndexThatPromisesATensorItsFileLacks) {
  const TempDir folder;
  save_safetensors(folder / "a.safetensors", {{"w", at::ones({1})}});
  write_file(
      folder / "model.safetensors.index.json",
      index_of(R"({"w":"a.safetensors","v":"a.safetensors"})"));
  EXPECT_THAT(
      refusal(folder.path()),
      HasSubstr("tensor 'v' is not in 'a.safetensors'"));
}

TEST(SafetensorsShards, FollowsTheLinksOfTheCacheLayout) {
  const TempDir folder;
  std::filesystem::create_directories(folder / "blobs");
  std::filesystem::create_directories(folder / "snapshots/1");
  save_safetensors(folder / "blobs/0a1b", {{"w", at::ones({2})}});
  std::filesystem::create_symlink(
      "../../blobs/0a1b", folder / "snapshots/1/model.safetensors");
  const auto index = open_safetensors(folder / "snapshots/1");
  EXPECT_TRUE(at::equal(index.tensor("w"), at::ones({2})));
}

TEST(SafetensorsShards, SaysWhatItLookedForInAnEmptyFolder) {
  const TempDir folder;
  EXPECT_THAT(
      refusal(folder.path()),
      HasSubstr("neither model.safetensors nor model.safetensors.index.json"));
}

TEST(SafetensorsShards, RemovesFilesOfAnEarlierSaveAndNothingElse) {
  const TempDir folder;
  const auto has = [&](const char* name) {
    return std::filesystem::exists(folder / name);
  };
  write_file(folder / "model-extra.safetensors", "kept");
  write_file(folder / "other-00001-of-00004.safetensors", "kept");
  const ShardOptions in_shards{.max_shard_bytes = 40};
  save_safetensors_sharded(folder.path(), golden_tensors(), in_shards);
  save_safetensors_sharded(folder.path(), golden_tensors());
  EXPECT_TRUE(has("model.safetensors"));
  EXPECT_FALSE(has("model.safetensors.index.json"));
  EXPECT_FALSE(has("model-00001-of-00004.safetensors"));
  save_safetensors_sharded(folder.path(), golden_tensors(), in_shards);
  EXPECT_FALSE(has("model.safetensors"));
  EXPECT_TRUE(has("model.safetensors.index.json"));
  EXPECT_EQ(open_safetensors(folder.path()).names().size(), 7u);
  EXPECT_TRUE(has("model-extra.safetensors"));
  EXPECT_TRUE(has("other-00001-of-00004.safetensors"));
}

TEST(SafetensorsShards, LeavesNoIndexWhenAShardFails) {
  const TempDir folder;
  const ShardOptions in_shards{.max_shard_bytes = 40};
  save_safetensors_sharded(folder.path(), golden_tensors(), in_shards);
  const auto blocked = folder / "model-00002-of-00004.safetensors";
  std::filesystem::remove(blocked);
  std::filesystem::create_directories(blocked / "in the way");
  EXPECT_THROW(
      save_safetensors_sharded(folder.path(), golden_tensors(), in_shards),
      CheckpointError);
  EXPECT_FALSE(
      std::filesystem::exists(folder / "model.safetensors.index.json"));
}

TEST(SafetensorsShards, RefusesImpossibleOptionsAndDuplicateNames) {
  const TempDir folder;
  const auto save = [&](const ShardOptions& options) {
    save_safetensors_sharded(folder.path(), golden_tensors(), options);
  };
  EXPECT_THROW(save({.max_shard_bytes = 0}), ConfigError);
  EXPECT_THROW(save({.base_name = "../model"}), ConfigError);
  EXPECT_THROW(save({.base_name = ""}), ConfigError);
  const NamedTensor w{"w", at::ones({4})};
  EXPECT_THROW(
      save_safetensors_sharded(folder.path(), {w, w}, {.max_shard_bytes = 16}),
      ConfigError);
}

} // namespace
} // namespace accelerate
