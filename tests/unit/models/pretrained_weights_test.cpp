// tests/unit/models/pretrained_weights_test.cpp
#include "accelerate/models/pretrained_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "accelerate/error.h"
#include "accelerate/io/safetensors.h"

namespace accelerate::models {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

/// A folder with a checkpoint that is removed after the test.
class Checkpoint : public testing::Test {
 protected:
  Checkpoint()
      : folder_(
            fs::path(testing::TempDir()) /
            ("pretrained_weights_" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Checkpoint() override {
    fs::remove_all(folder_);
  }

  void write(const std::vector<NamedTensor>& tensors) {
    save_safetensors(folder_ / "model.safetensors", tensors);
  }

  LoadReport load(OtherShapes other_shapes = OtherShapes::kReject) {
    return load_weights(
        folder_,
        {{"bert.encoder.LayerNorm.weight", gamma_},
         {"bert.encoder.LayerNorm.bias", beta_},
         {"bert.encoder.dense.weight", weight_}},
        other_shapes);
  }

  fs::path folder_;
  at::Tensor gamma_ = at::zeros({2});
  at::Tensor beta_ = at::zeros({2});
  at::Tensor weight_ = at::zeros({2, 3});
};

TEST_F(Checkpoint, IsReadUnderItsOlderNamesWithAndWithoutPrefix) {
  write(
      {{"encoder.LayerNorm.gamma", at::full({2}, 1.0)},
       {"bert.encoder.LayerNorm.beta", at::full({2}, 2.0)},
       {"encoder.dense.weight", at::full({2, 3}, 3.0)},
       {"embeddings.position_ids", at::zeros({1, 8}, at::kLong)}});
  const LoadReport report = load();
  EXPECT_TRUE(at::equal(gamma_, at::full({2}, 1.0)));
  EXPECT_TRUE(at::equal(beta_, at::full({2}, 2.0)));
  EXPECT_TRUE(at::equal(weight_, at::full({2, 3}, 3.0)));
  EXPECT_THAT(report.missing, ElementsAre());
  EXPECT_THAT(report.unexpected, ElementsAre());
}

TEST_F(Checkpoint, ReportsWhatIsMissingAndWhatIsTooMuch) {
  write(
      {{"encoder.dense.weight", at::full({2, 3}, 3.0)},
       {"cls.predictions.bias", at::zeros({5})}});
  const LoadReport report = load();
  EXPECT_THAT(
      report.missing,
      ElementsAre(
          "bert.encoder.LayerNorm.weight", "bert.encoder.LayerNorm.bias"));
  EXPECT_THAT(report.unexpected, ElementsAre("cls.predictions.bias"));
}

TEST_F(Checkpoint, IsConvertedToTheParametersDtype) {
  const at::Tensor half = at::randn({2, 3}).to(at::kHalf);
  write({{"encoder.dense.weight", half}});
  (void)load();
  EXPECT_TRUE(at::equal(weight_, half.to(at::kFloat)));
}

TEST_F(Checkpoint, OfAnotherShapeIsRejectedOrReported) {
  write(
      {{"encoder.dense.weight", at::zeros({3, 2})},
       {"encoder.LayerNorm.bias", at::zeros({2})}});
  try {
    (void)load();
    FAIL() << "expected ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_THAT(
        error.what(),
        testing::AllOf(
            HasSubstr("'bert.encoder.dense.weight'"),
            HasSubstr("(3, 2)"),
            HasSubstr("(2, 3)"),
            HasSubstr(folder_.string())));
  }
  EXPECT_THAT(
      load(OtherShapes::kReport).mismatched,
      ElementsAre("bert.encoder.dense.weight"));
}

TEST_F(Checkpoint, OfAnotherModelIsAnError) {
  write({{"transformer.h.0.weight", at::zeros({3})}});
  try {
    (void)load();
    FAIL() << "expected CheckpointError";
  } catch (const CheckpointError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'transformer.h.0.weight'"));
  }
}

TEST_F(Checkpoint, ThatNamesAParameterTwiceIsAnError) {
  write(
      {{"encoder.dense.weight", at::zeros({2, 3})},
       {"bert.encoder.dense.weight", at::zeros({2, 3})}});
  EXPECT_THROW((void)load(), CheckpointError);
}

TEST(InitializeParameter, FollowsTransformersRules) {
  BertConfig config;
  config.initializer_range = 0.5;
  config.pad_token_id = 1;
  const auto initialized = [&](const char* name, at::IntArrayRef sizes) {
    at::Tensor tensor = at::full(sizes, 9.0);
    initialize_parameter({name, tensor}, config, std::nullopt);
    return tensor;
  };
  EXPECT_TRUE(
      at::equal(initialized("x.LayerNorm.weight", {4}), at::full({4}, 1.0)));
  EXPECT_TRUE(at::equal(initialized("x.LayerNorm.bias", {4}), at::zeros({4})));
  EXPECT_TRUE(at::equal(initialized("classifier.bias", {4}), at::zeros({4})));
  const at::Tensor weight = initialized("classifier.weight", {100, 100});
  EXPECT_NEAR(weight.mean().item<double>(), 0.0, 0.03);
  EXPECT_NEAR(weight.std().item<double>(), 0.5, 0.03);
  const at::Tensor table = initialized("x.word_embeddings.weight", {3, 50});
  EXPECT_EQ(table.select(0, 1).abs().sum().item<double>(), 0);
  EXPECT_NE(table.select(0, 0).abs().sum().item<double>(), 0);
}

} // namespace
} // namespace accelerate::models
