// tests/unit/inspect/model_memory_test.cpp: the original's numbers for models
// of several types, and what follows from them.
#include "accelerate/inspect/model_memory.h"

#include "accelerate/error.h"
#include "accelerate/io/safetensors_layout.h"
#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <limits>

namespace accelerate::inspect {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::TempDir;
using ::testing::UnorderedElementsAreArray;

json golden_cases() {
  std::ifstream file(
      fs::path(ACCELERATE_TEST_DATA) / "unit/inspect/golden/model_memory.json");
  return json::parse(file).at("cases");
}

/// A file with the tensors of a case, in which only the header is real.
void write_model(const fs::path& path, const json& tensors) {
  io::SafetensorsLayout layout;
  std::uint64_t end = 0;
  for (const auto& [name, shape] : tensors.items()) {
    io::TensorPlace place{io::TensorDtype::kF32, shape, end, end + 4};
    for (const std::int64_t dim : place.shape) {
      place.end_byte =
          end + (place.end_byte - end) * static_cast<std::uint64_t>(dim);
    }
    end = place.end_byte;
    layout.names.push_back(name);
    layout.tensors.emplace(name, std::move(place));
  }
  const std::string header = io::render_safetensors_layout(layout);
  std::ofstream(path, std::ios::binary) << header;
  fs::resize_file(path, header.size() + end);
}

void expect_as_golden(const WeightSizes& sizes, const json& expected) {
  EXPECT_EQ(sizes.total_bytes, expected["total"]);
  EXPECT_EQ(sizes.largest_layer_bytes, expected["largest"]);
  EXPECT_THAT(
      sizes.largest_layers,
      UnorderedElementsAreArray(
          expected["layers"].get<std::vector<std::string>>()));
  for (const WeightDtype dtype : kWeightDtypes) {
    const auto bytes = original_training_bytes(sizes.total_bytes, dtype);
    const json& original = expected["training"][weight_dtype_name(dtype)];
    EXPECT_EQ(bytes ? json(*bytes) : json(-1), original)
        << weight_dtype_name(dtype);
  }
}

TEST(ModelMemory, IsWhatTheOriginalCalculates) {
  const TempDir folder;
  int compared = 0;
  const json cases = golden_cases();
  for (const auto& [name, expected] : cases.items()) {
    SCOPED_TRACE(name);
    if (!expected.contains("tensors")) {
      continue;
    }
    std::ofstream(folder / "config.json") << expected["config"];
    write_model(folder / "model.safetensors", expected["tensors"]);
    expect_as_golden(
        measure_weights(
            {folder / "model.safetensors"},
            io::read_model_config(folder / "config.json")),
        expected);
    ++compared;
  }
  EXPECT_EQ(compared, 8);
}

TEST(ModelMemory, OfMiniLmIsWhatTheOriginalCalculates) {
  const fs::path model =
      fs::path(ACCELERATE_TEST_DATA).parent_path() / ".deps/assets/minilm";
  if (!fs::exists(model)) {
    GTEST_SKIP() << "needs: assets";
  }
  expect_as_golden(
      measure_weights(
          {model / "model.safetensors"},
          io::read_model_config(model / "config.json")),
      golden_cases()["minilm"]);
}

TEST(ModelMemory, CountsHalvesAsFloat32AndIntegersAsTheyAre) {
  const TempDir folder;
  io::SafetensorsLayout layout;
  layout.names = {"half", "mask", "block.0.w", "block.0.sub.w"};
  layout.tensors["half"] = {io::TensorDtype::kBF16, {3}, 0, 6};
  layout.tensors["mask"] = {io::TensorDtype::kBool, {5}, 6, 11};
  layout.tensors["block.0.w"] = {io::TensorDtype::kU8, {2}, 11, 13};
  layout.tensors["block.0.sub.w"] = {io::TensorDtype::kF64, {1}, 13, 21};
  std::ofstream(folder / "a.safetensors", std::ios::binary)
      << io::render_safetensors_layout(layout) << std::string(21, '\0');
  const WeightSizes sizes = measure_weights({folder / "a.safetensors"}, {});
  EXPECT_EQ(sizes.tensors, 4U);
  EXPECT_EQ(sizes.elements, 3U + 5 + 2 + 1);
  EXPECT_EQ(sizes.total_bytes, 12U + 5 + 2 + 4);
  EXPECT_EQ(sizes.largest_layer_bytes, 12U);
  EXPECT_THAT(sizes.largest_layers, testing::ElementsAre("half"));
  EXPECT_THROW(
      (void)measure_weights(
          {folder / "a.safetensors", folder / "a.safetensors"}, {}),
      CheckpointError);
}

TEST(ModelMemory, IsDividedAsTheStageSays) {
  const TrainingMemory whole =
      training_memory(1000, WeightDtype::kFloat32).value();
  EXPECT_EQ(whole.sum(), 4000U);
  const auto sum = [&](Sharding stage, int ranks) {
    return rank_memory(whole, stage, ranks).sum();
  };
  for (const int ranks : {1, 2, 3, 7, 1000}) {
    const auto part = [&](std::uint64_t bytes) {
      const auto n = static_cast<std::uint64_t>(ranks);
      return (bytes + n - 1) / n;
    };
    EXPECT_EQ(sum(Sharding::kNone, ranks), 4000U);
    EXPECT_EQ(sum(Sharding::kOptimizer, ranks), 2000 + part(2000));
    EXPECT_EQ(sum(Sharding::kGradients, ranks), 1000 + part(1000) + part(2000));
    EXPECT_EQ(
        sum(Sharding::kWeights, ranks), part(1000) + part(1000) + part(2000));
  }
  EXPECT_THROW((void)sum(Sharding::kNone, 0), ConfigError);
  EXPECT_EQ(training_memory(1000, WeightDtype::kInt8), std::nullopt);
  EXPECT_EQ(training_memory(1001, WeightDtype::kBFloat16)->gradients, 1501U);
}

TEST(ModelMemory, OfActivationsFollowsThePaper) {
  const io::ModelConfig config{
      .model_type = "bert",
      .hidden_size = 64,
      .num_layers = 3,
      .num_attention_heads = 4,
      .intermediate_size = 256};
  const BatchShape batch{.batch_size = 5, .sequence_length = 7};
  // s b h (34 + 5 a s / h) per layer, in 16 bits.
  const auto half = activation_memory(config, batch, WeightDtype::kBFloat16);
  EXPECT_EQ(half->plain, 3U * (7 * 5 * 64 * 34 + 5 * 4 * 7 * 7 * 5));
  EXPECT_EQ(half->fused, 3U * 7 * 5 * 2 * (8 * 64 + 2 * 256));
  const auto full = activation_memory(config, batch, WeightDtype::kFloat32);
  EXPECT_EQ(full->fused, 2 * half->fused);
  EXPECT_EQ(activation_memory({}, batch, WeightDtype::kFloat32), std::nullopt);
  EXPECT_THROW(
      (void)activation_memory(config, {0, 7}, WeightDtype::kFloat32),
      ConfigError);
  EXPECT_THROW(
      (void)activation_memory(
          config,
          {1, std::numeric_limits<std::int64_t>::max()},
          WeightDtype::kFloat32),
      ConfigError);
}

TEST(ModelMemory, IsWrittenInTheUnitThatFits) {
  EXPECT_EQ(format_bytes(0), "0 bytes");
  EXPECT_EQ(format_bytes(1023), "1023 bytes");
  EXPECT_EQ(format_bytes(1024), "1.0 KB");
  EXPECT_EQ(format_bytes(90861056), "86.65 MB");
  EXPECT_EQ(format_bytes(std::uint64_t{3} << 40), "3.0 TB");
}

} // namespace
} // namespace accelerate::inspect
