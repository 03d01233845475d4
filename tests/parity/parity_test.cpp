// tests/parity/parity_test.cpp: starts the trainings of parity_ranks and
// compares what they give with the Python library, with bare libtorch, and one
// rank with two.
#include <cmath>
#include <fstream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "accelerate/io/safetensors.h"
#include "tests/support/run_ranks.h"
#include "tests/support/temp_dir.h"

namespace accelerate::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kAssets = ACCELERATE_TEST_DATA "/../.deps/assets";
constexpr const char* kGolden =
    ACCELERATE_TEST_DATA "/parity/golden/finetune_curve.json";
constexpr const char* kGoldenBfloat16 =
    ACCELERATE_TEST_DATA "/parity/golden/finetune_curve_bf16.json";

nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path << "; tools/setup.sh fetches the assets";
  return nlohmann::json::parse(file);
}

RanksResult run(int world_size, std::vector<std::string> args) {
  return run_ranks(
      {.program = built_program("parity_ranks"),
       .args = std::move(args),
       .world_size = world_size,
       .deadline = 240s});
}

/// The losses of 50 steps on the ranks and in the precision of a golden file.
std::vector<double> losses_of(const char* golden) {
  const TempDir folder;
  const std::string out = folder.path() / "curve.json";
  const RanksResult result =
      run(read_json(golden)["world_size"], {"curve", kAssets, golden, out});
  EXPECT_TRUE(result.all_succeeded()) << result;
  return read_json(out)["loss"];
}

TEST(Parity, FiftyStepsFollowTheLossCurveOfThePythonLibrary) {
  const std::vector<double> expected = read_json(kGolden)["loss"];
  const std::vector<double> got = losses_of(kGolden);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t step = 0; step < got.size(); ++step) {
    EXPECT_NEAR(got[step], expected[step], 1e-4) << "step " << step;
  }
}

TEST(Parity, FiftyStepsInBfloat16StayAsCloseToFloatAsThePythonLibrarys) {
  const std::vector<double> exact = read_json(kGolden)["loss"];
  const std::vector<double> theirs = read_json(kGoldenBfloat16)["loss"];
  const std::vector<double> got = losses_of(kGoldenBfloat16);
  ASSERT_EQ(got.size(), exact.size());
  double largest = 0, allowed = 0;
  for (std::size_t step = 0; step < got.size(); ++step) {
    largest = std::max(largest, std::abs(got[step] - exact[step]));
    allowed = std::max(allowed, std::abs(theirs[step] - exact[step]));
  }
  // Gradients are as exact as theirs (low_precision_test.cpp), but which way
  // the roundings fall is chance, and fifty steps add them up. Four times is
  // 0.2 % of the loss.
  EXPECT_LE(largest, 4 * allowed);
  EXPECT_GT(largest, 1e-6) << "computed in float";
  std::printf("from fp32: ours %.1e, theirs %.1e\n", largest, allowed);
}

TEST(Parity, TwoRanksOfHalfTheBatchTrainTheWeightsOfOne) {
  const TempDir folder;
  const std::string one = folder.path() / "one.safetensors";
  const std::string two = folder.path() / "two.safetensors";
  const RanksResult alone = run(1, {"weights", kAssets, "16", one});
  ASSERT_TRUE(alone.all_succeeded()) << alone;
  const RanksResult both = run(2, {"weights", kAssets, "8", two});
  ASSERT_TRUE(both.all_succeeded()) << both;

  const auto left = SafetensorsFile::open(one);
  const auto right = SafetensorsFile::open(two);
  ASSERT_EQ(left.names(), right.names());
  double difference = 0, norm = 0, largest = 0;
  for (const std::string& name : left.names()) {
    const at::Tensor a = left.tensor(name).to(at::kDouble);
    const at::Tensor d = a - right.tensor(name).to(at::kDouble);
    difference += d.square().sum().item<double>();
    norm += a.square().sum().item<double>();
    largest = std::max(largest, d.abs().max().item<double>());
  }
  EXPECT_LE(std::sqrt(difference / norm), 1e-6);
  EXPECT_LE(largest, 1e-5);
  RecordProperty(
      "relative_difference", std::to_string(std::sqrt(difference / norm)));
  std::printf(
      "|dw|/|w| = %.2e, max |dw| = %.2e\n",
      std::sqrt(difference / norm),
      largest);
}

TEST(Parity, APreparedLoopGivesTheBitsOfBareLibtorch) {
  const TempDir folder;
  const std::string bare = folder.path() / "bare.safetensors";
  const std::string prepared = folder.path() / "prepared.safetensors";
  const RanksResult result = run(1, {"bare", bare, prepared});
  ASSERT_TRUE(result.all_succeeded()) << result;
  const auto left = SafetensorsFile::open(bare);
  const auto right = SafetensorsFile::open(prepared);
  ASSERT_EQ(left.names(), right.names());
  for (const std::string& name : left.names()) {
    EXPECT_TRUE(at::equal(left.tensor(name), right.tensor(name))) << name;
  }
}

} // namespace
} // namespace accelerate::test
