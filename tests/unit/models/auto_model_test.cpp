// tests/unit/models/auto_model_test.cpp
#include "accelerate/models/auto_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "accelerate/error.h"
#include "accelerate/io/safetensors.h"

namespace accelerate {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

const fs::path kTiny =
    fs::path(ACCELERATE_TEST_DATA) / "unit" / "models" / "golden" / "bert_tiny";

BertConfig small_config() {
  BertConfig config;
  config.vocab_size = 50;
  config.hidden_size = 16;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  config.intermediate_size = 24;
  config.max_position_embeddings = 8;
  return config;
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// An empty folder that is removed after the test.
class AutoModels : public testing::Test {
 protected:
  AutoModels()
      : folder_(
            fs::path(testing::TempDir()) /
            ("auto_model_" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~AutoModels() override {
    fs::remove_all(folder_);
  }

  template <typename Error>
  std::string error_of(const PretrainedModelOptions& options = {}) {
    try {
      (void)AutoModelForSequenceClassification::from_pretrained(
          folder_.string(), options);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }

  void copy_config() {
    fs::copy(kTiny / "config.json", folder_ / "config.json");
  }

  fs::path folder_;
};

std::map<std::string, at::Tensor> weights_of(const torch::nn::Module& module) {
  std::map<std::string, at::Tensor> result;
  for (const auto& item : module.named_parameters()) {
    result[item.key()] = item.value();
  }
  return result;
}

TEST_F(AutoModels, ExplainsAFolderThatIsNotThere) {
  fs::remove_all(folder_);
  EXPECT_THAT(error_of<ConfigError>(), HasSubstr(folder_.string()));
}

TEST_F(AutoModels, ExplainsAMissingOrBrokenConfig) {
  EXPECT_THAT(error_of<ConfigError>(), HasSubstr("config.json"));
  std::ofstream(folder_ / "config.json") << R"({"hidden_size": "large"})";
  EXPECT_THAT(
      error_of<ConfigError>(),
      AllOf(HasSubstr("'hidden_size'"), HasSubstr("config.json")));
}

TEST_F(AutoModels, ExplainsMissingAndTruncatedWeights) {
  copy_config();
  EXPECT_THAT(error_of<CheckpointError>(), HasSubstr("model.safetensors"));
  const std::string bytes = bytes_of(kTiny / "model.safetensors");
  for (const std::size_t kept :
       {std::size_t{0}, std::size_t{100}, bytes.size() - 1}) {
    std::ofstream(folder_ / "model.safetensors", std::ios::binary)
        << bytes.substr(0, kept);
    EXPECT_THAT(error_of<CheckpointError>(), HasSubstr("model.safetensors"))
        << kept;
  }
}

TEST_F(AutoModels, RejectsAClassifierOfAnotherSizeUnlessToldOtherwise) {
  fs::remove_all(folder_);
  fs::copy(kTiny, folder_);
  EXPECT_THAT(
      error_of<ConfigError>({.num_labels = 5}),
      AllOf(
          HasSubstr("'classifier.weight'"),
          HasSubstr("(3, 32)"),
          HasSubstr("(5, 32)"),
          HasSubstr("ignore_mismatched_sizes")));
  const auto net = AutoModelForSequenceClassification::from_pretrained(
      folder_.string(), {.num_labels = 5, .ignore_mismatched_sizes = true});
  EXPECT_EQ(weights_of(*net).at("classifier.weight").size(0), 5);
}

TEST_F(AutoModels, RejectsOptionsOutOfRange) {
  fs::remove_all(folder_);
  fs::copy(kTiny, folder_);
  EXPECT_THAT(
      error_of<ConfigError>({.hidden_dropout_prob = 1.5}),
      HasSubstr("'hidden_dropout_prob' is 1.5"));
  EXPECT_THAT(
      error_of<ConfigError>({.num_labels = 0}), HasSubstr("'num_labels'"));
}

TEST_F(AutoModels, TakeTheirOptionsOverTheFolders) {
  const BertConfig config = AutoConfig::from_pretrained(
      kTiny.string(),
      {.num_labels = 7,
       .problem_type = ProblemType::kMultiLabel,
       .hidden_dropout_prob = 0.0,
       .classifier_dropout = 0.5});
  EXPECT_EQ(config.num_labels, 7);
  EXPECT_EQ(config.problem_type, ProblemType::kMultiLabel);
  EXPECT_EQ(config.hidden_dropout_prob, 0.0);
  EXPECT_EQ(config.attention_probs_dropout_prob, 0.1);
  EXPECT_EQ(config.classifier_dropout, 0.5);
}

TEST_F(AutoModels, SaveWhatTheyRead) {
  const auto net =
      AutoModelForSequenceClassification::from_pretrained(kTiny.string());
  net->save_pretrained(folder_ / "deep" / "copy");
  // transformers wrote the original: same names, dtypes, shapes and bytes.
  const auto ours =
      SafetensorsFile::open(folder_ / "deep" / "copy" / "model.safetensors");
  const auto theirs = SafetensorsFile::open(kTiny / "model.safetensors");
  EXPECT_THAT(ours.names(), testing::UnorderedElementsAreArray(theirs.names()));
  for (const std::string& name : theirs.names()) {
    EXPECT_TRUE(at::equal(ours.tensor(name), theirs.tensor(name))) << name;
  }
  EXPECT_EQ(ours.metadata().at("format"), "pt");
  const auto again =
      AutoConfig::from_pretrained((folder_ / "deep" / "copy").string());
  EXPECT_EQ(again.to_json("x"), net->config().to_json("x"));
}

TEST_F(AutoModels, ExplainWhereTheyCannotSave) {
  std::ofstream(folder_ / "file") << "x";
  const auto net = AutoModel::from_config(small_config());
  EXPECT_THROW(net->save_pretrained(folder_ / "file" / "x"), CheckpointError);
}

TEST_F(AutoModels, LoadAnEncoderIntoAClassifierAndBack) {
  const auto encoder = AutoModel::from_config(small_config(), {.seed = 1});
  encoder->save_pretrained(folder_);
  const auto net = AutoModelForSequenceClassification::from_pretrained(
      folder_.string(), {.seed = 2});
  const auto weights = weights_of(*net);
  for (const auto& [name, tensor] : weights_of(*encoder)) {
    EXPECT_TRUE(at::equal(weights.at("bert." + name), tensor)) << name;
  }
  EXPECT_EQ(weights.at("classifier.bias").abs().sum().item<double>(), 0);
  EXPECT_NE(weights.at("classifier.weight").abs().sum().item<double>(), 0);
  EXPECT_FALSE(net->is_training());

  net->save_pretrained(folder_ / "classifier");
  const auto back =
      AutoModel::from_pretrained((folder_ / "classifier").string());
  for (const auto& [name, tensor] : weights_of(*back)) {
    EXPECT_TRUE(at::equal(weights.at("bert." + name), tensor)) << name;
  }
}

TEST_F(AutoModels, InitialiseBySeed) {
  const auto weight = [](std::uint64_t seed) {
    return weights_of(*AutoModelForSequenceClassification::from_config(
                          small_config(), {.seed = seed}))
        .at("classifier.weight");
  };
  EXPECT_TRUE(at::equal(weight(1), weight(1)));
  EXPECT_FALSE(at::equal(weight(1), weight(2)));
}

TEST_F(AutoModels, HaveLeavesAsParameters) {
  const auto net =
      AutoModelForSequenceClassification::from_config(small_config());
  for (const auto& [name, tensor] : weights_of(*net)) {
    EXPECT_TRUE(tensor.is_leaf() && tensor.requires_grad()) << name;
  }
  EXPECT_EQ(
      weights_of(*net).count(
          "bert.encoder.layer.0.attention.self.query.weight"),
      1u);
}

} // namespace
} // namespace accelerate
