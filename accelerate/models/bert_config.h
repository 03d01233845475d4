// accelerate/models/bert_config.h: what config.json says about a BERT model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate {

/// Activation of the feed-forward part.
enum class HiddenActivation {
  kGelu, ///< exact, by the error function
  kGeluTanh, ///< "gelu_new", "gelu_pytorch_tanh"
  kRelu,
  kSilu, ///< "silu", "swish"
  kTanh,
};

/// Which loss a classifier computes from `labels`.
enum class ProblemType {
  kAuto, ///< one label: regression; integer labels: single; else multi
  kRegression, ///< mean squared error
  kSingleLabel, ///< cross entropy; label -100 is left out
  kMultiLabel, ///< binary cross entropy with logits
};

/// Architecture of a BERT model, with the defaults of BERT-base.
/// Source: transformers BertConfig, whose names these are.
struct ACCELERATE_API BertConfig {
  std::int64_t vocab_size = 30522;
  std::int64_t hidden_size = 768;
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t intermediate_size = 3072;
  HiddenActivation hidden_act = HiddenActivation::kGelu;
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  /// Dropout before the classifier; hidden_dropout_prob when empty.
  std::optional<double> classifier_dropout;
  std::int64_t max_position_embeddings = 512;
  std::int64_t type_vocab_size = 2;
  /// Standard deviation of newly initialised weights.
  double initializer_range = 0.02;
  double layer_norm_eps = 1e-12;
  /// Its embedding row gets no gradient; empty: every row does.
  std::optional<std::int64_t> pad_token_id = 0;
  std::int64_t num_labels = 2;
  ProblemType problem_type = ProblemType::kAuto;
  /// The JSON object this was read from; keys that are not listed above are
  /// written back by to_json (names of labels, for example).
  std::string source_json = "{}";

  /// @throws ConfigError naming the field, its value and what is allowed.
  void validate() const;

  /// @param text a JSON object as in config.json
  /// @param origin named in error messages: a path, for example
  /// @throws ConfigError when the text is no JSON object, a value has the
  ///   wrong type or range, or asks for something that is not supported.
  [[nodiscard]] static BertConfig from_json(
      std::string_view text,
      const std::string& origin);

  /// Reads `folder/config.json`.
  /// @throws ConfigError also when the file cannot be read.
  [[nodiscard]] static BertConfig from_folder(
      const std::filesystem::path& folder);

  /// Text for config.json, which transformers reads.
  /// @param architecture a class name of transformers: "BertModel"
  [[nodiscard]] std::string to_json(std::string_view architecture) const;
};

} // namespace accelerate
