// accelerate/models/bert.h: BERT encoder and classifier.
//
// Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for
// Language Understanding", arXiv:1810.04805. Linear layers, norms and
// activations run on the real tokens of a batch only, see PackedLayout.
//
// With autocast on for the CPU (bfloat16 or half) the products of matrices,
// attention and GELU take and give 16-bit activations and weights rounded once
// for each change of them; residuals, LayerNorm, softmax, the loss and all
// gradients of parameters are float32.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/models/pretrained_model.h"

namespace accelerate {

namespace models {
class DropoutStream;
struct Dense;
struct Embeddings;
struct HiddenState;
struct Layer;
struct PackedLayout;
} // namespace models

/// Encoder and pooler; parameters are "embeddings.…", "encoder.layer.0.…",
/// "pooler.…". Weights are not initialised: AutoModel does that.
class ACCELERATE_API BertModelImpl : public EncoderModelImpl {
 public:
  explicit BertModelImpl(const BertConfig& config);

  [[nodiscard]] EncoderOutput forward(const Batch& batch) override;

  /// The pooled first token of every sequence, (B, hidden); the last layer
  /// computes nothing else. Equal to forward(batch).pooler_output.
  [[nodiscard]] at::Tensor pooled(const Batch& batch);

 protected:
  [[nodiscard]] const char* architecture() const override {
    return "BertModel";
  }

 private:
  friend class BertForSequenceClassificationImpl;

  enum class Rows { kAll, kFirst }; ///< (T, hidden), or (B, hidden)
  /// Layer `index` on hidden (T, hidden), in a checkpoint if there is one.
  [[nodiscard]] models::HiddenState run_layer(
      std::size_t index,
      const models::HiddenState& hidden,
      const models::PackedLayout& layout,
      models::DropoutStream& stream,
      Rows rows = Rows::kAll) const;
  /// Everything but the last layer: (T, hidden).
  /// @param low 16-bit format of the matrix products, if any
  [[nodiscard]] models::HiddenState encode(
      const Batch& batch,
      const models::PackedLayout& layout,
      models::DropoutStream& stream,
      std::optional<at::ScalarType> low) const;
  [[nodiscard]] at::Tensor pooled(
      const Batch& batch,
      models::DropoutStream& stream,
      std::optional<at::ScalarType> low) const;
  [[nodiscard]] const at::Tensor& first_weight() const;
  [[nodiscard]] at::Tensor pool(const at::Tensor& first) const;
  [[nodiscard]] models::DropoutStream dropout_stream() const;

  std::shared_ptr<models::Embeddings> embeddings_;
  std::vector<std::shared_ptr<models::Layer>> layers_;
  std::shared_ptr<models::Dense> pooler_;
};

/// Encoder with a linear classifier on the pooled output; parameters are
/// "bert.…" and "classifier.…".
class ACCELERATE_API BertForSequenceClassificationImpl
    : public SequenceClassifierImpl {
 public:
  explicit BertForSequenceClassificationImpl(const BertConfig& config);

  [[nodiscard]] SequenceClassifierOutput forward(const Batch& batch) override;

  void gradient_checkpointing_enable() override;
  void gradient_checkpointing_disable() override;

 protected:
  [[nodiscard]] const char* architecture() const override {
    return "BertForSequenceClassification";
  }

 private:
  std::shared_ptr<BertModelImpl> bert_;
  std::shared_ptr<models::Dense> classifier_;
};

} // namespace accelerate
