// accelerate/models/bert_modules.cpp
#include "accelerate/models/bert_modules_impl.h"

#include "accelerate/models/kernels/bias_gelu.h"
#include "accelerate/models/kernels/dropout.h"
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

at::Tensor activate(
    const at::Tensor& x,
    const at::Tensor& bias,
    HiddenActivation activation) {
  switch (activation) {
    case HiddenActivation::kGelu:
      return bias_gelu(x, bias);
    case HiddenActivation::kGeluTanh:
      return at::gelu(x + bias, "tanh");
    case HiddenActivation::kRelu:
      return at::relu(x + bias);
    case HiddenActivation::kSilu:
      return at::silu(x + bias);
    case HiddenActivation::kTanh:
      break;
  }
  return at::tanh(x + bias);
}

} // namespace

Dense::Dense(std::int64_t inputs, std::int64_t outputs) {
  weight = register_parameter("weight", uninitialized({outputs, inputs}));
  bias = register_parameter("bias", uninitialized({outputs}));
}

at::Tensor Dense::operator()(const at::Tensor& x) const {
  return at::linear(x, weight, bias);
}

at::Tensor Dense::without_bias(const at::Tensor& x) const {
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

at::Tensor Embeddings::forward(
    const PackedTokens& tokens,
    const PackedLayout& layout,
    DropoutStream& stream) const {
  const at::Tensor sum = at::embedding(word->weight, tokens.ids, padding_id) +
      at::embedding(type->weight, tokens.types) +
      at::embedding(position->weight, layout.columns);
  const at::Tensor normalized = dropout_add_norm(
      sum, {}, {}, norm->weights(), {/*seed=*/0, /*site=*/0, 0.0});
  return models::dropout(normalized, stream.next(dropout));
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
  const at::Tensor projected = at::linear(
      x,
      at::cat({query->weight, key->weight, value->weight}),
      at::cat({query->bias, without_effect(key->bias), value->bias}));
  return packed_attention(projected, layout, heads, stream.next(dropout));
}

at::Tensor SelfAttention::forward_first(
    const at::Tensor& first,
    const at::Tensor& x,
    const PackedLayout& layout,
    DropoutStream& stream) const {
  const at::Tensor projected = at::linear(
      x,
      at::cat({key->weight, value->weight}),
      at::cat({without_effect(key->bias), value->bias}));
  return first_token_attention(
      (*query)(first), projected, layout, heads, stream.next(dropout));
}

ResidualOutput::ResidualOutput(const BertConfig& config, std::int64_t inputs)
    : dropout(config.hidden_dropout_prob) {
  dense = register_module(
      "dense", std::make_shared<Dense>(inputs, config.hidden_size));
  norm = register_module("LayerNorm", std::make_shared<Norm>(config));
}

at::Tensor ResidualOutput::forward(
    const at::Tensor& x,
    const at::Tensor& residual,
    DropoutStream& stream) const {
  return dropout_add_norm(
      dense->without_bias(x),
      dense->bias,
      residual,
      norm->weights(),
      stream.next(dropout));
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

at::Tensor Layer::feed_forward(const at::Tensor& x, DropoutStream& stream)
    const {
  const at::Tensor inner =
      activate(intermediate->without_bias(x), intermediate->bias, activation);
  return output->forward(inner, x, stream);
}

at::Tensor Layer::forward(
    const at::Tensor& x,
    const PackedLayout& layout,
    DropoutStream& stream) const {
  const at::Tensor context = attention->forward(x, layout, stream);
  return feed_forward(attention_output->forward(context, x, stream), stream);
}

at::Tensor Layer::forward_first(
    const at::Tensor& x,
    const PackedLayout& layout,
    DropoutStream& stream) const {
  const at::Tensor first = first_tokens(x, layout);
  const at::Tensor context = attention->forward_first(first, x, layout, stream);
  return feed_forward(
      attention_output->forward(context, first, stream), stream);
}

} // namespace accelerate::models
