// accelerate/models/bert.cpp
#include "accelerate/models/bert.h"

#include "accelerate/error.h"
#include "accelerate/models/bert_modules_impl.h"
#include "accelerate/models/classification_loss.h"
#include "accelerate/models/kernels/dropout.h"
#include "accelerate/models/kernels/low_precision.h"
#include "accelerate/step/activation_checkpoint.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros_like.h>

namespace accelerate {
namespace {

using models::DropoutStream;
using models::HiddenState;
using models::LowPrecisionScope;
using models::PackedLayout;

constexpr std::string_view kWhere = "models.forward";

/// Packs one column of ids and checks that they are below `limit`.
at::Tensor packed_ids(
    const at::Tensor& column,
    const char* name,
    std::int64_t limit,
    const PackedLayout& layout) {
  ACCELERATE_CHECK(
      column.dim() == 2 && column.size(0) == layout.batch &&
          column.size(1) == layout.length,
      ConfigError,
      kWhere,
      "'",
      name,
      "' and 'input_ids' have different shapes");
  ACCELERATE_CHECK(
      at::isIntegralType(column.scalar_type(), /*includeBool=*/false),
      ConfigError,
      kWhere,
      "'",
      name,
      "' is ",
      c10::toString(column.scalar_type()),
      ", expected integers");
  const at::Tensor ids = pack(column, layout).to(at::kLong).contiguous();
  if (ids.is_cpu()) {
    const auto* values = ids.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < ids.numel(); ++i) {
      ACCELERATE_CHECK(
          values[i] >= 0 && values[i] < limit,
          ConfigError,
          kWhere,
          "'",
          name,
          "' holds ",
          values[i],
          ", expected 0 to ",
          limit - 1,
          "; were the ids made for another model?");
    }
  }
  return ids;
}

PackedLayout layout_of(const Batch& batch, const BertConfig& config) {
  const at::Tensor& ids = batch.at("input_ids");
  PackedLayout layout =
      models::make_packed_layout(ids, batch.find("attention_mask"));
  ACCELERATE_CHECK(
      layout.length <= config.max_position_embeddings,
      ConfigError,
      kWhere,
      "'input_ids' are ",
      layout.length,
      " long, expected at most ",
      config.max_position_embeddings,
      "; truncate them");
  return layout;
}

models::PackedTokens packed_tokens(
    const Batch& batch,
    const BertConfig& config,
    const PackedLayout& layout) {
  const at::Tensor ids =
      packed_ids(batch.at("input_ids"), "input_ids", config.vocab_size, layout);
  const at::Tensor* types = batch.find("token_type_ids");
  return {
      ids,
      types == nullptr
          ? at::zeros_like(ids)
          : packed_ids(
                *types, "token_type_ids", config.type_vocab_size, layout)};
}

} // namespace

BertModelImpl::BertModelImpl(const BertConfig& config)
    : EncoderModelImpl(config) {
  embeddings_ = register_module(
      "embeddings", std::make_shared<models::Embeddings>(config));
  const auto encoder =
      register_module("encoder", std::make_shared<torch::nn::Module>());
  const auto list =
      encoder->register_module("layer", std::make_shared<torch::nn::Module>());
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    layers_.push_back(list->register_module(
        std::to_string(i), std::make_shared<models::Layer>(config)));
  }
  const auto pooler =
      register_module("pooler", std::make_shared<torch::nn::Module>());
  pooler_ = pooler->register_module(
      "dense",
      std::make_shared<models::Dense>(config.hidden_size, config.hidden_size));
}

DropoutStream BertModelImpl::dropout_stream() const {
  return is_training() ? DropoutStream::from_default_generator()
                       : DropoutStream::off();
}

const at::Tensor& BertModelImpl::first_weight() const {
  return embeddings_->word->weight;
}

HiddenState BertModelImpl::encode(
    const Batch& batch,
    const PackedLayout& layout,
    DropoutStream& stream,
    std::optional<at::ScalarType> low) const {
  HiddenState hidden = embeddings_->forward(
      packed_tokens(batch, config(), layout), layout, stream, low);
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
    hidden = run_layer(i, hidden, layout, stream);
  }
  return hidden;
}

HiddenState BertModelImpl::run_layer(
    std::size_t index,
    const HiddenState& hidden,
    const PackedLayout& layout,
    DropoutStream& stream,
    Rows rows) const {
  const auto run = [layer = layers_[index], layout, rows](
                       const HiddenState& x, DropoutStream& own) {
    return rows == Rows::kAll ? layer->forward(x, layout, own)
                              : layer->forward_first(x, layout, own);
  };
  if (!is_gradient_checkpointing() || !is_training()) {
    return run(hidden, stream);
  }
  // Dropout is addressed by the stream, not drawn: no generator to put back.
  const auto after = std::make_shared<DropoutStream>(stream);
  auto [values, low] = checkpoint_with(
      {.preserve_rng_state = false},
      [run, before = stream, after](const at::Tensor& x, const at::Tensor& y) {
        DropoutStream own = before;
        HiddenState output = run({x, y}, own);
        *after = own;
        return std::pair(output.values, output.low);
      },
      hidden.values,
      hidden.low);
  stream = *after;
  return {values, low};
}

at::Tensor BertModelImpl::pool(const at::Tensor& first) const {
  return at::tanh((*pooler_)(first));
}

EncoderOutput BertModelImpl::forward(const Batch& batch) {
  const LowPrecisionScope scope(first_weight());
  const PackedLayout layout = layout_of(batch, config());
  DropoutStream stream = dropout_stream();
  const HiddenState hidden = run_layer(
      layers_.size() - 1,
      encode(batch, layout, stream, scope.dtype()),
      layout,
      stream);
  const at::Tensor padded = unpack(hidden.values, layout);
  const at::Tensor first = padded.select(1, 0);
  return {padded, pool(scope.dtype() ? first.to(*scope.dtype()) : first)};
}

at::Tensor BertModelImpl::pooled(
    const Batch& batch,
    DropoutStream& stream,
    std::optional<at::ScalarType> low) const {
  const PackedLayout layout = layout_of(batch, config());
  return pool(run_layer(
                  layers_.size() - 1,
                  encode(batch, layout, stream, low),
                  layout,
                  stream,
                  Rows::kFirst)
                  .input());
}

at::Tensor BertModelImpl::pooled(const Batch& batch) {
  const LowPrecisionScope scope(first_weight());
  DropoutStream stream = dropout_stream();
  return pooled(batch, stream, scope.dtype());
}

BertForSequenceClassificationImpl::BertForSequenceClassificationImpl(
    const BertConfig& config)
    : SequenceClassifierImpl(config) {
  bert_ = register_module("bert", std::make_shared<BertModelImpl>(config));
  classifier_ = register_module(
      "classifier",
      std::make_shared<models::Dense>(config.hidden_size, config.num_labels));
}

void BertForSequenceClassificationImpl::gradient_checkpointing_enable() {
  SequenceClassifierImpl::gradient_checkpointing_enable();
  bert_->gradient_checkpointing_enable();
}

void BertForSequenceClassificationImpl::gradient_checkpointing_disable() {
  SequenceClassifierImpl::gradient_checkpointing_disable();
  bert_->gradient_checkpointing_disable();
}

SequenceClassifierOutput BertForSequenceClassificationImpl::forward(
    const Batch& batch) {
  const LowPrecisionScope scope(bert_->first_weight());
  DropoutStream stream = is_training() ? DropoutStream::from_default_generator()
                                       : DropoutStream::off();
  const double probability =
      config().classifier_dropout.value_or(config().hidden_dropout_prob);
  const at::Tensor pooled = bert_->pooled(batch, stream, scope.dtype());
  const at::Tensor logits =
      (*classifier_)(models::dropout(pooled, stream.next(probability)));
  const at::Tensor* labels = batch.find("labels");
  return {
      labels == nullptr ? at::Tensor()
                        : models::classification_loss(
                              scope.dtype() ? logits.to(at::kFloat) : logits,
                              *labels,
                              config().problem_type),
      logits};
}

} // namespace accelerate
