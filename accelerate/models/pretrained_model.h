// accelerate/models/pretrained_model.h: what every model has: a forward over
// batches, and folders that transformers reads.
#pragma once

#include <filesystem>

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "accelerate/api.h"
#include "accelerate/models/bert_config.h"
#include "accelerate/models/model_output.h"
#include "accelerate/nested/batch.h"

namespace accelerate {

/// A torch::nn module with a configuration, which can be written to a folder.
/// Parameters have the names that transformers gives them.
class ACCELERATE_API PretrainedModelImpl : public torch::nn::Module {
 public:
  [[nodiscard]] const BertConfig& config() const {
    return config_;
  }

  /// Writes `folder`/config.json and `folder`/model.safetensors, each
  /// atomically; the folder is made when it is not there. transformers'
  /// from_pretrained reads the result.
  /// @throws CheckpointError naming the path.
  void save_pretrained(const std::filesystem::path& folder) const;

  /// From here on training keeps the inputs of each layer instead of all its
  /// activations, and computes the layer again in backward, with the same
  /// dropout: less memory, more time. Values and gradients stay the same.
  /// Source: transformers PreTrainedModel.gradient_checkpointing_enable
  virtual void gradient_checkpointing_enable();
  virtual void gradient_checkpointing_disable();
  [[nodiscard]] bool is_gradient_checkpointing() const {
    return is_gradient_checkpointing_;
  }

 protected:
  explicit PretrainedModelImpl(const BertConfig& config);

  /// Class name of transformers, for config.json.
  [[nodiscard]] virtual const char* architecture() const = 0;

 private:
  BertConfig config_;
  bool is_gradient_checkpointing_ = false;
};

/// A model that turns tokens into vectors.
class ACCELERATE_API EncoderModelImpl : public PretrainedModelImpl {
 public:
  /// @param batch `input_ids` (B, L) integer; optional `attention_mask` (B, L),
  ///   not zero where real, padding on the right; optional `token_type_ids`
  ///   (B, L). Other columns are not looked at.
  /// @throws ConfigError on wrong shapes or ids outside the vocabulary.
  [[nodiscard]] virtual EncoderOutput forward(const Batch& batch) = 0;

 protected:
  using PretrainedModelImpl::PretrainedModelImpl;
};

/// A model that gives each sequence a row of logits.
class ACCELERATE_API SequenceClassifierImpl : public PretrainedModelImpl {
 public:
  /// @param batch as for EncoderModelImpl::forward, and optional `labels`; see
  ///   models::classification_loss
  /// @return logits (B, num_labels); loss when there are labels
  [[nodiscard]] virtual SequenceClassifierOutput forward(
      const Batch& batch) = 0;

 protected:
  using PretrainedModelImpl::PretrainedModelImpl;
};

/// Holders, used as those of torch::nn: `net->parameters()`, `net(batch)`.
class EncoderModel : public torch::nn::ModuleHolder<EncoderModelImpl> {
 public:
  using torch::nn::ModuleHolder<EncoderModelImpl>::ModuleHolder;
};
class SequenceClassifier
    : public torch::nn::ModuleHolder<SequenceClassifierImpl> {
 public:
  using torch::nn::ModuleHolder<SequenceClassifierImpl>::ModuleHolder;
};

} // namespace accelerate
