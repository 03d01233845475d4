// accelerate/models/bert_modules.cpp
#include "accelerate/models/bert_modules_impl.h"

#include "accelerate/models/kernels/bias_gelu.h"
#include "accelerate/models/kernels/dropout.h"
#include "accelerate/models/kernels/low_linear.h"
#include "accelerate/models/kernels/low_precision.h"
#include "accelerate/models/kernels/packed_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tanh.h>

#include <array>

namespace accelerate::models {
namespace {

at::Tensor uninitialized(at::IntArrayRef sizes) {
  return at::empty(sizes, at::kFloat);
}

/// Groups without parameters of their own, which only give names.
std::shared_ptr<torch::nn::Module> named_group(
    torch::nn::Module& parent,
    const char* name) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>());
}

/// Rows of `x` that begin the sequences: (T, hidden) → (B, hidden).
at::Tensor first_tokens(const at::Tensor& x, const PackedLayout& layout) {
  return x.index_select(
      0, layout.starts.narrow(0, 0, layout.batch).to(x.device()));
}

/// The bias of the keys as it takes part: not at all. It shifts all scores of a
/// query alike, which softmax does not see, so that its gradient is zero. Added
/// in, it would get a gradient of rounding noise, which Adam blows up to steps
/// of full size that differ from run to run. Times zero, it keeps a gradient:
/// zero.
at::Tensor without_effect(const at::Tensor& key_bias) {
  return key_bias * 0;
}

at::Tensor composed_activation(
    const at::Tensor& x,
    HiddenActivation activation) {
  switch (activation) {
    case HiddenActivation::kGelu:
      return at::gelu(x);
    case HiddenActivation::kGeluTanh:
      return at::gelu(x, "tanh");
    case HiddenActivation::kRelu:
      return at::relu(x);
    case HiddenActivation::kSilu:
      return at::silu(x);
    case HiddenActivation::kTanh:
      break;
  }
  return at::tanh(x);
}

/// (rows, n), dtype of x.
at::Tensor activate(
    const at::Tensor& x,
    const at::Tensor& bias,
    HiddenActivation activation) {
  if (activation == HiddenActivation::kGelu) {
    return bias_gelu(x, bias);
  }
  // Beside a 16-bit x, the float bias makes this float.
  return composed_activation(x + bias, activation).to(x.scalar_type());
}

bool is_low_beside(const at::Tensor& x, const at::Tensor& weight) {
  return has_low_kernels(x) && weight.scalar_type() == at::kFloat;
}

} // namespace

Dense::Dense(std::int64_t inputs, std::int64_t outputs) {
  weight = register_parameter("weight", uninitialized({outputs, inputs}));
  bias = register_parameter("bias", uninitialized({outputs}));
}

at::Tensor Dense::operator()(const at::Tensor& x) const {
  if (is_low_beside(x, weight)) {
    return low_linear(x, weight, low_weight_, bias);
  }
  low_weight_.release();
  return at::linear(x, weight, bias);
}

at::Tensor Dense::without_bias(const at::Tensor& x) const {
  if (is_low_beside(x, weight)) {
    return low_linear(x, weight, low_weight_, {});
  }
  low_weight_.release();
  return at::linear(x, weight);
}

Norm::Norm(const BertConfig& config) : epsilon(config.layer_norm_eps) {
  weight = register_parameter("weight", uninitialized({config.hidden_size}));
  bias = register_parameter("bias", uninitialized({config.hidden_size}));
}

Table::Table(std::int64_t rows, std::int64_t width) {
  weight = register_parameter("weight", uninitialized({rows, width}));
}

Embeddings::Embeddings(const BertConfig& config)
    : padding_id(config.pad_token_id.value_or(-1)),
      dropout(config.hidden_dropout_prob) {
  const std::int64_t width = config.hidden_size;
  word = register_module(
      "word_embeddings", std::make_shared<Table>(config.vocab_size, width));
  position = register_module(
      "position_embeddings",
      std::make_shared<Table>(config.max_position_embeddings, width));
  type = register_module(
      "token_type_embeddings",
      std::make_shared<Table>(config.type_vocab_size, width));
  norm = register_module("LayerNorm", std::make_shared<Norm>(config));
}

HiddenState Embeddings::forward(
    const PackedTokens& tokens,
    const PackedLayout& layout,
    DropoutStream& stream,
    std::optional<at::ScalarType> low) const {
  const at::Tensor sum = at::embedding(word->weight, tokens.ids, padding_id) +
      at::embedding(type->weight, tokens.types) +
      at::embedding(position->weight, layout.columns);
  const at::Tensor normalized = dropout_add_norm(
      sum, {}, {}, norm->weights(), {/*seed=*/0, /*site=*/0, 0.0});
  const at::Tensor values = models::dropout(normalized, stream.next(dropout));
  return {values, low ? values.to(*low) : at::Tensor()};
}

SelfAttention::SelfAttention(const BertConfig& config)
    : heads(config.num_attention_heads),
      dropout(config.attention_probs_dropout_prob) {
  const auto make = [&](const char* name) {
    return register_module(
        name, std::make_shared<Dense>(config.hidden_size, config.hidden_size));
  };
  query = make("query");
  key = make("key");
  value = make("value");
}

at::Tensor SelfAttention::forward(
    const at::Tensor& x,
    const PackedLayout& layout,
    DropoutStream& stream) const {
  // One product instead of three.
  const std::array<at::Tensor, 3> weights{
      query->weight, key->weight, value->weight};
  const at::Tensor bias =
      at::cat({query->bias, without_effect(key->bias), value->bias});
  const at::Tensor projected = project(x, weights, bias);
  return packed_attention(projected, layout, heads, stream.next(dropout));
}

at::Tensor SelfAttention::forward_first(
    const at::Tensor& first,
    const at::Tensor& x,
    const PackedLayout& layout,
    DropoutStream& stream) const {
  const std::array<at::Tensor, 2> weights{key->weight, value->weight};
  const at::Tensor bias = at::cat({without_effect(key->bias), value->bias});
  const at::Tensor projected = project(x, weights, bias);
  return first_token_attention(
      (*query)(first), projected, layout, heads, stream.next(dropout));
}

at::Tensor SelfAttention::project(
    const at::Tensor& x,
    at::ArrayRef<at::Tensor> weights,
    const at::Tensor& bias) const {
  if (is_low_beside(x, weights[0])) {
    return low_linear(x, weights, low_weights_, bias);
  }
  low_weights_.release();
  return at::linear(x, at::cat(weights), bias);
}

ResidualOutput::ResidualOutput(const BertConfig& config, std::int64_t inputs)
    : dropout(config.hidden_dropout_prob) {
  dense = register_module(
      "dense", std::make_shared<Dense>(inputs, config.hidden_size));
  norm = register_module("LayerNorm", std::make_shared<Norm>(config));
}

HiddenState ResidualOutput::forward(
    const at::Tensor& x,
    const at::Tensor& residual,
    DropoutStream& stream) const {
  const at::Tensor branch = dense->without_bias(x);
  const DropoutKey key = stream.next(dropout);
  if (is_low_beside(branch, residual)) {
    return low_dropout_add_norm(
        branch, dense->bias, residual, norm->weights(), key);
  }
  return {
      dropout_add_norm(branch, dense->bias, residual, norm->weights(), key),
      at::Tensor()};
}

Layer::Layer(const BertConfig& config) : activation(config.hidden_act) {
  const std::int64_t width = config.hidden_size;
  const std::int64_t inner = config.intermediate_size;
  const auto attention_group = named_group(*this, "attention");
  attention = attention_group->register_module(
      "self", std::make_shared<SelfAttention>(config));
  attention_output = attention_group->register_module(
      "output", std::make_shared<ResidualOutput>(config, width));
  intermediate =
      named_group(*this, "intermediate")
          ->register_module("dense", std::make_shared<Dense>(width, inner));
  output = register_module(
      "output", std::make_shared<ResidualOutput>(config, inner));
}

HiddenState Layer::feed_forward(const HiddenState& x, DropoutStream& stream)
    const {
  const at::Tensor inner = activate(
      intermediate->without_bias(x.input()), intermediate->bias, activation);
  return output->forward(inner, x.values, stream);
}

HiddenState Layer::forward(
    const HiddenState& x,
    const PackedLayout& layout,
    DropoutStream& stream) const {
  const at::Tensor context = attention->forward(x.input(), layout, stream);
  return feed_forward(
      attention_output->forward(context, x.values, stream), stream);
}

HiddenState Layer::forward_first(
    const HiddenState& x,
    const PackedLayout& layout,
    DropoutStream& stream) const {
  const HiddenState first{
      first_tokens(x.values, layout),
      x.low.defined() ? first_tokens(x.low, layout) : at::Tensor()};
  const at::Tensor context =
      attention->forward_first(first.input(), x.input(), layout, stream);
  return feed_forward(
      attention_output->forward(context, first.values, stream), stream);
}

} // namespace accelerate::models
