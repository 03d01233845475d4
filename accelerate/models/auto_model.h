// accelerate/models/auto_model.h: models by the name of a pretrained one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "accelerate/api.h"
#include "accelerate/models/bert_config.h"
#include "accelerate/models/pretrained_model.h"

namespace accelerate {

/// What to change about a pretrained model. Empty fields keep what its
/// config.json says.
struct PretrainedModelOptions {
  std::optional<std::int64_t> num_labels = std::nullopt;
  std::optional<ProblemType> problem_type = std::nullopt;
  std::optional<double> hidden_dropout_prob = std::nullopt;
  std::optional<double> attention_probs_dropout_prob = std::nullopt;
  std::optional<double> classifier_dropout = std::nullopt;
  /// Of the weights that the checkpoint lacks; libtorch's default CPU
  /// generator, which set_seed seeds, when empty.
  std::optional<std::uint64_t> seed = std::nullopt;
  /// Initialise a weight anew when the checkpoint has it in another shape: a
  /// classifier for another number of labels, for example.
  bool ignore_mismatched_sizes = false;
  /// As after gradient_checkpointing_enable().
  bool gradient_checkpointing = false;
  /// Branch, tag or commit, for names found in the cache.
  std::string revision = "main";
};

/// Seed for a model that starts from random weights.
struct RandomModelOptions {
  /// libtorch's default CPU generator when empty.
  std::optional<std::uint64_t> seed = std::nullopt;
};

/// Configurations by name. Names are resolved as resolve_pretrained says;
/// nothing is downloaded.
struct ACCELERATE_API AutoConfig {
  /// @throws ConfigError on an unknown name, a missing or unusable
  ///   config.json, or options out of range.
  [[nodiscard]] static BertConfig from_pretrained(
      const std::string& name_or_folder,
      const PretrainedModelOptions& options = {});
};

/// Encoders by name.
struct ACCELERATE_API AutoModel {
  /// Reads config.json and the weights: model.safetensors, or the shards of
  /// model.safetensors.index.json. Weights of a classifier's checkpoint have
  /// the prefix "bert.", which is optional here and there; heads that this
  /// model lacks are left out. Weights the checkpoint lacks are initialised and
  /// named in one log line (info). The model is in evaluation mode, as
  /// transformers leaves it.
  /// @throws ConfigError as AutoConfig does, or when a weight has another
  ///   shape than config.json says.
  /// @throws CheckpointError when the weights are missing, damaged, or hold
  ///   nothing of this model.
  [[nodiscard]] static EncoderModel from_pretrained(
      const std::string& name_or_folder,
      const PretrainedModelOptions& options = {});

  /// A model with random weights, in training mode.
  [[nodiscard]] static EncoderModel from_config(
      const BertConfig& config,
      const RandomModelOptions& options = {});
};

/// Classifiers by name.
struct ACCELERATE_API AutoModelForSequenceClassification {
  /// As AutoModel::from_pretrained; a checkpoint of an encoder gets a newly
  /// initialised classifier.
  [[nodiscard]] static SequenceClassifier from_pretrained(
      const std::string& name_or_folder,
      const PretrainedModelOptions& options = {});

  /// A model with random weights, in training mode.
  [[nodiscard]] static SequenceClassifier from_config(
      const BertConfig& config,
      const RandomModelOptions& options = {});
};

} // namespace accelerate
