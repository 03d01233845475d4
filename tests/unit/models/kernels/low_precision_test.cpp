// tests/unit/models/kernels/low_precision_test.cpp: BERT under autocast on the
// CPU, against float and against plain operations of libtorch under autocast.
#include "accelerate/models/kernels/low_precision.h"

#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/tanh.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "accelerate/io/safetensors.h"
#include "accelerate/models/auto_model.h"
#include "accelerate/models/bert.h"
#include "tests/unit/models/close_tensors.h"

namespace accelerate {
namespace {

using models::close;
using models::LowPrecisionScope;

const std::string kFolder = std::filesystem::path(ACCELERATE_TEST_DATA) /
    "unit" / "models" / "golden" / "bert_tiny";

/// Autocast on the CPU while it lives.
class Autocast {
 public:
  explicit Autocast(at::ScalarType dtype)
      : before_(at::autocast::get_autocast_dtype(at::kCPU)) {
    at::autocast::set_autocast_enabled(at::kCPU, true);
    at::autocast::set_autocast_dtype(at::kCPU, dtype);
  }
  ~Autocast() {
    at::autocast::set_autocast_enabled(at::kCPU, false);
    at::autocast::set_autocast_dtype(at::kCPU, before_);
    at::autocast::clear_cache();
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  at::ScalarType before_;
};

Batch tiny_batch() {
  const SafetensorsFile file =
      SafetensorsFile::open(kFolder + "/expected.safetensors");
  Batch batch;
  for (const char* name : {"input_ids", "attention_mask", "token_type_ids"}) {
    batch.set(name, file.copy(name));
  }
  batch.set("labels", at::arange(5, at::kLong).remainder(2));
  return batch;
}

SequenceClassifier tiny_net() {
  return AutoModelForSequenceClassification::from_pretrained(kFolder);
}

using Gradients = std::map<std::string, at::Tensor>;

Gradients take_gradients(SequenceClassifier& net) {
  Gradients gradients;
  for (auto& item : net->named_parameters()) {
    gradients[item.key()] = item.value().grad().clone();
    item.value().mutable_grad() = at::Tensor();
  }
  return gradients;
}

/// ‖a - b‖ / ‖b‖ over all parameters.
double distance(const Gradients& a, const Gradients& b) {
  double difference = 0, size = 0;
  for (const auto& [name, value] : b) {
    difference += (a.at(name) - value).pow(2).sum().item<double>();
    size += value.pow(2).sum().item<double>();
  }
  return std::sqrt(difference / size);
}

/// The classifier's loss by plain operations on the padded batch, the way
/// transformers computes it.
at::Tensor plain_loss(SequenceClassifier& net, const Batch& batch) {
  const auto parameters = net->named_parameters();
  const auto get = [&](const std::string& name) { return parameters[name]; };
  const auto dense = [&](const std::string& name, const at::Tensor& x) {
    return at::linear(x, get(name + ".weight"), get(name + ".bias"));
  };
  const auto norm = [&](const std::string& name, const at::Tensor& x) {
    return at::layer_norm(
        x,
        {x.size(-1)},
        get(name + ".weight"),
        get(name + ".bias"),
        net->config().layer_norm_eps);
  };
  const std::string embeddings = "bert.embeddings.";
  const at::Tensor ids = batch["input_ids"];
  at::Tensor x = at::embedding(
                     get(embeddings + "word_embeddings.weight"), ids) +
      at::embedding(get(embeddings + "token_type_embeddings.weight"),
                    batch["token_type_ids"]) +
      at::embedding(get(embeddings + "position_embeddings.weight"),
                    at::arange(ids.size(1), at::kLong));
  x = norm(embeddings + "LayerNorm", x);
  const std::int64_t heads = net->config().num_attention_heads;
  const at::Tensor mask =
      batch["attention_mask"].ne(0).unsqueeze(1).unsqueeze(1);
  for (std::int64_t i = 0; i < net->config().num_hidden_layers; ++i) {
    const std::string layer = "bert.encoder.layer." + std::to_string(i) + ".";
    const auto head = [&](const char* name) {
      return dense(layer + "attention.self." + name, x)
          .reshape({x.size(0), x.size(1), heads, -1})
          .transpose(1, 2);
    };
    const at::Tensor context =
        at::scaled_dot_product_attention(
            head("query"), head("key"), head("value"), mask)
            .transpose(1, 2)
            .reshape({x.size(0), x.size(1), -1});
    x = norm(
        layer + "attention.output.LayerNorm",
        dense(layer + "attention.output.dense", context) + x);
    const at::Tensor inner = at::gelu(dense(layer + "intermediate.dense", x));
    x = norm(
        layer + "output.LayerNorm", dense(layer + "output.dense", inner) + x);
  }
  const at::Tensor pooled =
      at::tanh(dense("bert.pooler.dense", x.select(1, 0)));
  return at::cross_entropy_loss(
      dense("classifier", pooled).to(at::kFloat), batch["labels"]);
}

class LowPrecisionBert : public testing::TestWithParam<at::ScalarType> {};

TEST_P(LowPrecisionBert, IsAsCloseToFloatAsAutocastIs) {
  SequenceClassifier net = tiny_net();
  const Batch batch = tiny_batch();
  net(batch).loss.backward();
  const Gradients exact = take_gradients(net);
  plain_loss(net, batch).backward();
  // The plain operations are the same model.
  ASSERT_LT(distance(take_gradients(net), exact), 1e-5);

  const Autocast autocast(GetParam());
  plain_loss(net, batch).backward();
  const double theirs = distance(take_gradients(net), exact);
  const auto output = net(batch);
  EXPECT_EQ(output.loss.scalar_type(), at::kFloat);
  EXPECT_EQ(output.logits.scalar_type(), GetParam());
  output.loss.backward();
  const double ours = distance(take_gradients(net), exact);
  // Something was rounded, and not more than autocast rounds; the quarter is
  // for luck, the two round at different places.
  EXPECT_GT(ours, 1e-5);
  EXPECT_LT(ours, 1.25 * theirs);
}

TEST_P(LowPrecisionBert, GivesTheSameAgainAndLeavesFloatAlone) {
  SequenceClassifier net = tiny_net();
  const Batch batch = tiny_batch();
  const at::Tensor before = net(batch).logits;
  at::Tensor first;
  {
    const Autocast autocast(GetParam());
    first = net(batch).logits;
    EXPECT_TRUE(at::autocast::is_autocast_enabled(at::kCPU));
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(net(batch).logits, first));
  }
  EXPECT_FALSE(at::equal(first.to(at::kFloat), before));
  EXPECT_TRUE(at::equal(net(batch).logits, before));
}

TEST_P(LowPrecisionBert, SeesAStepOfTheOptimizer) {
  SequenceClassifier net = tiny_net();
  SequenceClassifier fresh = tiny_net();
  const Batch batch = tiny_batch();
  const Autocast autocast(GetParam());
  const at::Tensor before = net(batch).logits;
  for (auto* model : {&net, &fresh}) {
    const at::NoGradGuard no_grad;
    for (at::Tensor& parameter : (*model)->parameters()) {
      parameter.mul_(1.1);
    }
  }
  EXPECT_FALSE(at::equal(net(batch).logits, before));
  EXPECT_TRUE(at::equal(net(batch).logits, fresh(batch).logits));
}

TEST_P(LowPrecisionBert, ComputesEverythingTheEncoderGives) {
  EncoderModel encoder = AutoModel::from_pretrained(kFolder);
  const Batch batch = tiny_batch();
  const at::Tensor exact = encoder(batch).last_hidden_state;
  const Autocast autocast(GetParam());
  const EncoderOutput output = encoder(batch);
  EXPECT_EQ(output.last_hidden_state.scalar_type(), at::kFloat);
  EXPECT_TRUE(close(output.last_hidden_state, exact, 0.1));
  auto bert = std::dynamic_pointer_cast<BertModelImpl>(encoder.ptr());
  EXPECT_TRUE(close(bert->pooled(batch), output.pooler_output, 0.02));
}

INSTANTIATE_TEST_SUITE_P(
    Formats,
    LowPrecisionBert,
    testing::Values(at::kBFloat16, at::kHalf));

TEST(LowPrecision, GradientsOfTheRealModelAreAsExactAsAutocasts) {
  const auto data = std::filesystem::path(ACCELERATE_TEST_DATA);
  const char* folder = std::getenv("ACCELERATE_ASSETS");
  const auto assets = folder == nullptr ? data.parent_path() / ".deps/assets"
                                        : std::filesystem::path(folder);
  SequenceClassifier net = AutoModelForSequenceClassification::from_pretrained(
      (assets / "minilm").string(), {.num_labels = 2});
  const SafetensorsFile file = SafetensorsFile::open(
      data / "unit" / "models" / "golden" / "bert_logits.safetensors");
  Batch batch;
  for (const char* name : {"input_ids", "attention_mask", "token_type_ids"}) {
    batch.set(name, file.copy(name).to(at::kLong).narrow(0, 0, 8));
  }
  batch.set("labels", at::arange(8, at::kLong).remainder(2));
  net->eval();
  net(batch).loss.backward();
  const Gradients exact = take_gradients(net);
  const Autocast autocast(at::kBFloat16);
  plain_loss(net, batch).backward();
  const double theirs = distance(take_gradients(net), exact);
  net(batch).loss.backward();
  const double ours = distance(take_gradients(net), exact);
  EXPECT_LT(theirs, 0.02);
  EXPECT_LT(ours, 1.25 * theirs);
}

TEST(LowPrecision, OverflowsInHalfButNotInBfloat16) {
  SequenceClassifier net = tiny_net();
  const Batch batch = tiny_batch();
  {
    const at::NoGradGuard no_grad;
    net->named_parameters()["classifier.weight"].fill_(6e4);
    net->named_parameters()["classifier.bias"].fill_(6e4);
  }
  const auto finite = [&](at::ScalarType dtype) {
    const Autocast autocast(dtype);
    return net(batch).logits.isfinite().all().item<bool>();
  };
  EXPECT_TRUE(finite(at::kBFloat16));
  EXPECT_FALSE(finite(at::kHalf));
}

#if defined(__GLIBC__)
TEST(LowPrecision, TakesNoMoreMemoryFromStepToStep) {
  SequenceClassifier net = tiny_net();
  const Batch batch = tiny_batch();
  const Autocast autocast(at::kBFloat16);
  const auto bytes_after = [&](int steps) {
    for (int step = 0; step < steps; ++step) {
      net(batch).loss.backward();
      take_gradients(net);
      const at::NoGradGuard no_grad;
      for (at::Tensor& parameter : net->parameters()) {
        parameter.mul_(0.999);
      }
    }
    const struct mallinfo2 now = mallinfo2();
    return now.uordblks + now.hblkhd;
  };
  const std::size_t before = bytes_after(3);
  // The rounded weights are about 50 KB: 20 copies would be a megabyte. The
  // allocator's own caches move by some kilobytes.
  EXPECT_LT(bytes_after(20), before + 100'000);
}
#endif

TEST(LowPrecision, LetsScaledGradientsOverflowInHalf) {
  SequenceClassifier net = tiny_net();
  const Autocast autocast(at::kHalf);
  (net(tiny_batch()).loss * 0x1p24).backward();
  bool finite = true;
  for (const auto& [name, gradient] : take_gradients(net)) {
    finite = finite && gradient.isfinite().all().item<bool>();
  }
  EXPECT_FALSE(finite);
}

TEST(LowPrecision, IsForFloatWeightsUnderAutocastOnTheCpu) {
  const at::Tensor weight = at::randn({2, 2});
  EXPECT_EQ(LowPrecisionScope(weight).dtype(), std::nullopt);
  const Autocast autocast(at::kHalf);
  EXPECT_EQ(LowPrecisionScope(weight.to(at::kDouble)).dtype(), std::nullopt);
  {
    const LowPrecisionScope scope(weight);
    EXPECT_EQ(scope.dtype(), at::kHalf);
    EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
    EXPECT_EQ(LowPrecisionScope(weight).dtype(), std::nullopt);
    EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
  }
  EXPECT_TRUE(at::autocast::is_autocast_enabled(at::kCPU));
}

} // namespace
} // namespace accelerate
