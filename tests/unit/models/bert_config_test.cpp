// tests/unit/models/bert_config_test.cpp
#include "accelerate/models/bert_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "accelerate/error.h"

namespace accelerate {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string message_of(const std::string& json) {
  try {
    (void)BertConfig::from_json(json, "'test.json'");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

struct BadConfig {
  const char* json;
  const char* names;
};

class HostileConfig : public testing::TestWithParam<BadConfig> {};

TEST_P(HostileConfig, IsRejectedByNamingWhatIsWrong) {
  EXPECT_THAT(
      message_of(GetParam().json),
      AllOf(HasSubstr("[models.config]"), HasSubstr(GetParam().names)));
}

INSTANTIATE_TEST_SUITE_P(
    Rows,
    HostileConfig,
    testing::Values(
        BadConfig{"", "no JSON object"},
        BadConfig{"[1, 2]", "no JSON object"},
        BadConfig{R"({"hidden_size": 384)", "no JSON object"},
        BadConfig{R"({"hidden_size": "384"})", "'hidden_size'"},
        BadConfig{R"({"hidden_size": 38.5})", "38.5"},
        BadConfig{R"({"hidden_size": null})", "null"},
        BadConfig{R"({"hidden_size": 0})", "'hidden_size' is 0"},
        BadConfig{R"({"hidden_size": -768})", "-768"},
        BadConfig{R"({"hidden_size": 18446744073709551615})", "2^30"},
        BadConfig{R"({"hidden_size": 1e300})", "'hidden_size'"},
        BadConfig{R"({"hidden_size": 770})", "multiple of"},
        BadConfig{R"({"num_attention_heads": 0})", "'num_attention_heads'"},
        BadConfig{R"({"num_hidden_layers": 0})", "'num_hidden_layers'"},
        BadConfig{R"({"vocab_size": 0})", "'vocab_size'"},
        BadConfig{R"({"vocab_size": true})", "'vocab_size'"},
        BadConfig{R"({"hidden_dropout_prob": 1})", "'hidden_dropout_prob'"},
        BadConfig{R"({"hidden_dropout_prob": -0.1})", "-0.1"},
        BadConfig{R"({"classifier_dropout": "no"})", "'classifier_dropout'"},
        BadConfig{R"({"layer_norm_eps": -1})", "'layer_norm_eps'"},
        BadConfig{R"({"initializer_range": -1})", "'initializer_range'"},
        BadConfig{R"({"pad_token_id": 30522})", "'pad_token_id' is 30522"},
        BadConfig{R"({"hidden_act": "gelu2"})", "gelu_new"},
        BadConfig{R"({"hidden_act": 3})", "'hidden_act'"},
        BadConfig{R"({"problem_type": "guess"})", "regression"},
        BadConfig{R"({"model_type": "gpt2"})", "'gpt2'"},
        BadConfig{R"({"is_decoder": true})", "'is_decoder'"},
        BadConfig{
            R"({"position_embedding_type": "relative_key"})",
            "relative_key"},
        BadConfig{R"({"id2label": ["a"]})", "'id2label'"},
        BadConfig{R"({"id2label": {}})", "'num_labels' is 0"}));

TEST(BertConfig, HasTheDefaultsOfBertBase) {
  const BertConfig config = BertConfig::from_json("{}", "'test.json'");
  EXPECT_EQ(config.vocab_size, 30522);
  EXPECT_EQ(config.hidden_size, 768);
  EXPECT_EQ(config.num_hidden_layers, 12);
  EXPECT_EQ(config.num_labels, 2);
  EXPECT_EQ(config.pad_token_id, 0);
  EXPECT_EQ(config.hidden_act, HiddenActivation::kGelu);
  EXPECT_EQ(config.problem_type, ProblemType::kAuto);
}

TEST(BertConfig, CountsTheLabelsOfId2Label) {
  const BertConfig config = BertConfig::from_json(
      R"({"id2label": {"0": "bad", "1": "so-so", "2": "good"}})", "'x'");
  EXPECT_EQ(config.num_labels, 3);
}

TEST(BertConfig, SurvivesBeingWrittenAndReadAgain) {
  BertConfig config = BertConfig::from_json(
      R"({"id2label": {"0": "bad", "1": "good"}, "custom": [1, {"a": 2}],
          "hidden_act": "gelu_new", "pad_token_id": null,
          "classifier_dropout": 0.25, "_name_or_path": "/somewhere"})",
      "'x'");
  config.problem_type = ProblemType::kMultiLabel;
  const std::string text = config.to_json("BertModel");
  const BertConfig again = BertConfig::from_json(text, "'y'");
  EXPECT_EQ(again.hidden_act, HiddenActivation::kGeluTanh);
  EXPECT_EQ(again.pad_token_id, std::nullopt);
  EXPECT_EQ(again.classifier_dropout, 0.25);
  EXPECT_EQ(again.problem_type, ProblemType::kMultiLabel);
  EXPECT_THAT(
      text,
      AllOf(
          HasSubstr("\"custom\""),
          HasSubstr("\"good\": 1"),
          HasSubstr("\"BertModel\""),
          testing::Not(HasSubstr("somewhere"))));
}

TEST(BertConfig, RenamesTheLabelsWhenTheirNumberChanges) {
  BertConfig config =
      BertConfig::from_json(R"({"id2label": {"0": "bad", "1": "good"}})", "x");
  config.num_labels = 3;
  EXPECT_THAT(
      config.to_json("BertModel"),
      AllOf(HasSubstr("LABEL_2"), testing::Not(HasSubstr("good"))));
}

TEST(BertConfig, NamesTheFileThatIsMissing) {
  try {
    (void)BertConfig::from_folder("/nonexistent");
    FAIL() << "expected ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'/nonexistent/config.json'"));
  }
}

TEST(BertConfig, ReadsWhatTransformersWrote) {
  const BertConfig config = BertConfig::from_folder(
      std::filesystem::path(ACCELERATE_TEST_DATA) /
      "unit/models/golden/bert_tiny");
  EXPECT_EQ(config.num_labels, 3);
  EXPECT_EQ(config.intermediate_size, 48);
  EXPECT_EQ(config.initializer_range, 0.2);
}

TEST(BertConfig, RejectsNotANumber) {
  BertConfig config;
  config.hidden_dropout_prob = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(config.validate(), ConfigError);
}

} // namespace
} // namespace accelerate
