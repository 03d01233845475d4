// tests/unit/models/bert_test.cpp: against what transformers computed, see
// tools/golden/bert_tiny.py and bert_logits.py.
#include "accelerate/models/bert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>

#include "accelerate/error.h"
#include "accelerate/io/safetensors.h"
#include "accelerate/models/auto_model.h"
#include "tests/unit/models/close_tensors.h"

namespace accelerate {
namespace {

namespace fs = std::filesystem;
using models::close;

const fs::path kGolden =
    fs::path(ACCELERATE_TEST_DATA) / "unit" / "models" / "golden";

fs::path assets() {
  const char* folder = std::getenv("ACCELERATE_ASSETS");
  return folder == nullptr
      ? fs::path(ACCELERATE_TEST_DATA).parent_path() / ".deps" / "assets"
      : fs::path(folder);
}

void seed_default_generator(std::uint64_t seed) {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_current_seed(seed);
}

Batch batch_of(const SafetensorsFile& file) {
  Batch batch;
  for (const char* name : {"input_ids", "attention_mask", "token_type_ids"}) {
    batch.set(name, file.copy(name));
  }
  return batch;
}

/// The tiny model of the golden folder and what is expected of it.
class TinyBert : public testing::Test {
 protected:
  SafetensorsFile expected_ =
      SafetensorsFile::open(kGolden / "bert_tiny" / "expected.safetensors");
  SequenceClassifier net_ = AutoModelForSequenceClassification::from_pretrained(
      (kGolden / "bert_tiny").string());
  Batch batch_ = batch_of(expected_);
};

class TinyBertLosses : public TinyBert,
                       public testing::WithParamInterface<const char*> {};

TEST_P(TinyBertLosses, AndGradientsEqualThoseOfTransformers) {
  const std::string problem = GetParam();
  SequenceClassifier net = AutoModelForSequenceClassification::from_pretrained(
      (kGolden / "bert_tiny").string(),
      {.problem_type = problem == "regression" ? ProblemType::kRegression
                                               : ProblemType::kAuto});
  batch_.set("labels", expected_.copy(problem + "/labels"));
  const SequenceClassifierOutput output = net(batch_);
  EXPECT_TRUE(close(output.loss, expected_.copy(problem + "/loss"), 1e-6));
  output.loss.backward();
  std::size_t compared = 0;
  for (const auto& item : net->named_parameters()) {
    const at::Tensor gradient = expected_.copy(problem + "/grad/" + item.key());
    EXPECT_TRUE(close(item.value().grad(), gradient, 1e-5)) << item.key();
    ++compared;
  }
  EXPECT_EQ(compared, 2u * 16u + 5u + 2u + 2u);
}

INSTANTIATE_TEST_SUITE_P(
    Problems,
    TinyBertLosses,
    testing::Values(
        "single_label_classification",
        "multi_label_classification",
        "regression"));

TEST_F(TinyBert, LogitsEqualThoseOfTransformers) {
  const SequenceClassifierOutput output = net_(batch_);
  EXPECT_TRUE(close(output.logits, expected_.copy("logits"), 1e-5));
  EXPECT_FALSE(output.loss.defined());
}

TEST_F(TinyBert, IsNotInfluencedByPadding) {
  const at::Tensor before = net_(batch_).logits;
  const auto wider = [](const at::Tensor& column) {
    return at::cat({column, at::zeros({column.size(0), 3}, at::kLong)}, 1);
  };
  Batch padded;
  for (const auto& [name, column] : batch_) {
    padded.set(name, wider(column));
  }
  // Whatever stands behind the mask is not even looked at.
  padded.set(
      "input_ids",
      padded.at("input_ids")
          .masked_fill(padded.at("attention_mask").eq(0), 1 << 20));
  EXPECT_TRUE(at::equal(net_(padded).logits, before));
}

TEST_F(TinyBert, GivesARowTheSameLogitsAloneAndInABatch) {
  const at::Tensor together = net_(batch_).logits;
  for (const std::int64_t row : {0, 1, 3}) {
    Batch alone;
    for (const auto& [name, column] : batch_) {
      alone.set(name, column.narrow(0, row, 1));
    }
    EXPECT_TRUE(close(net_(alone).logits, together.narrow(0, row, 1), 1e-5));
  }
}

TEST_F(TinyBert, ReadsAMissingMaskAsAllRealAndMissingTypesAsZero) {
  const at::Tensor ids = batch_.at("input_ids").narrow(0, 2, 1);
  const at::Tensor full = at::full(ids.sizes(), 1, at::kLong);
  const at::Tensor expected = net_(Batch{
                                       {"input_ids", ids},
                                       {"attention_mask", full},
                                       {"token_type_ids", full * 0}})
                                  .logits;
  EXPECT_TRUE(at::equal(net_(Batch{{"input_ids", ids}}).logits, expected));
}

TEST_F(TinyBert, PoolsTheFirstTokenAsTheFullForwardDoes) {
  EncoderModel encoder =
      AutoModel::from_pretrained((kGolden / "bert_tiny").string());
  const EncoderOutput output = encoder(batch_);
  EXPECT_EQ(output.last_hidden_state.sizes(), (at::IntArrayRef{5, 12, 32}));
  EXPECT_EQ(
      output.last_hidden_state.select(0, 1)
          .narrow(0, 1, 11)
          .abs()
          .sum()
          .item<double>(),
      0);
  auto bert = std::dynamic_pointer_cast<BertModelImpl>(encoder.ptr());
  EXPECT_TRUE(close(bert->pooled(batch_), output.pooler_output, 1e-6));
}

TEST_F(TinyBert, DropsOnlyInTrainingAndReproducesBySeed) {
  const at::Tensor evaluated = net_(batch_).logits;
  net_->train();
  seed_default_generator(3);
  const at::Tensor first = net_(batch_).logits;
  const at::Tensor second = net_(batch_).logits;
  seed_default_generator(3);
  EXPECT_TRUE(at::equal(net_(batch_).logits, first));
  EXPECT_FALSE(at::equal(first, second));
  EXPECT_FALSE(at::equal(first, evaluated));
  net_->eval();
  EXPECT_TRUE(at::equal(net_(batch_).logits, evaluated));
}

TEST_F(TinyBert, GivesTheSameWithGradientCheckpointing) {
  net_->train();
  const auto run = [&] {
    seed_default_generator(11);
    const at::Tensor logits = net_(batch_).logits;
    logits.square().sum().backward();
    std::vector<at::Tensor> results{logits.detach()};
    for (const at::Tensor& parameter : net_->parameters()) {
      results.push_back(parameter.grad().clone());
      parameter.mutable_grad().reset();
    }
    return results;
  };
  const auto plain = run();
  net_->gradient_checkpointing_enable();
  EXPECT_TRUE(net_->is_gradient_checkpointing());
  const auto folded = run();
  ASSERT_EQ(plain.size(), folded.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    EXPECT_TRUE(at::equal(plain[i], folded[i])) << i;
  }
  net_->gradient_checkpointing_disable();
  EXPECT_TRUE(at::equal(run()[0], plain[0]));
}

TEST_F(TinyBert, GivesTheSameInDoubleThroughTheComposedPath) {
  const at::Tensor single = net_(batch_).logits;
  net_->to(at::kDouble);
  EXPECT_TRUE(close(net_(batch_).logits, single, 1e-5));
}

TEST_F(TinyBert, AddsGradientsOfTwoBackwards) {
  batch_.set("labels", expected_.copy("single_label_classification/labels"));
  net_(batch_).loss.backward();
  net_(batch_).loss.backward();
  for (const auto& item : net_->named_parameters()) {
    EXPECT_TRUE(close(
        item.value().grad(),
        expected_.copy("single_label_classification/grad/" + item.key()) * 2,
        2e-5))
        << item.key();
  }
}

TEST_F(TinyBert, ExplainsIdsThatDoNotFit) {
  const auto message = [&](const char* column, const at::Tensor& value) {
    Batch batch = batch_;
    batch.set(column, value);
    try {
      (void)net_(batch);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const at::Tensor ids = batch_.at("input_ids");
  EXPECT_THAT(
      message("input_ids", at::full({5, 12}, 64, at::kLong)),
      testing::HasSubstr("'input_ids' holds 64, expected 0 to 63"));
  EXPECT_THAT(message("input_ids", ids - 64), testing::HasSubstr("holds -"));
  EXPECT_THAT(
      message("input_ids", ids.to(at::kFloat)), testing::HasSubstr("Float"));
  EXPECT_THAT(
      message("token_type_ids", at::full({5, 12}, 2, at::kLong)),
      testing::HasSubstr("'token_type_ids' holds 2"));
  EXPECT_THAT(
      message("token_type_ids", at::full({5, 1}, 0, at::kLong)),
      testing::HasSubstr("different shapes"));
  EXPECT_THROW((void)net_(Batch{}), ConfigError);
  EXPECT_THROW(
      (void)net_(Batch{{"input_ids", at::full({1, 17}, 1, at::kLong)}}),
      ConfigError);
}

TEST(PretrainedBert, GivesTheLogitsOfTransformersOn64Reviews) {
  const fs::path folder = assets() / "minilm";
  ASSERT_TRUE(fs::exists(folder / "model.safetensors"))
      << "no model in " << folder
      << "; make test fetches it (tools/fetch_assets.py), or set "
         "ACCELERATE_ASSETS";
  const SafetensorsFile expected =
      SafetensorsFile::open(kGolden / "bert_logits.safetensors");
  SequenceClassifier net = AutoModelForSequenceClassification::from_pretrained(
      folder.string(), {.num_labels = 2});
  const at::NoGradGuard no_grad;
  for (auto& item : net->named_parameters()) {
    if (item.key().starts_with("classifier.")) {
      item.value().copy_(expected.tensor(item.key()));
    }
  }
  const Batch batch = batch_of(expected);
  ASSERT_EQ(batch.num_samples(), 64);
  EXPECT_TRUE(close(net(batch).logits, expected.copy("logits"), 1e-5));
  EncoderModel encoder = AutoModel::from_pretrained(folder.string());
  EXPECT_TRUE(close(
      encoder(batch).pooler_output, expected.copy("pooler_output"), 1e-5));
}

} // namespace
} // namespace accelerate
