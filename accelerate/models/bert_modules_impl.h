// accelerate/models/bert_modules_impl.h: the parameters of a BERT encoder,
// under transformers' names, and what each group computes on packed tokens.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include "accelerate/models/bert_config.h"
#include "accelerate/models/kernels/dropout_add_norm.h"
#include "accelerate/models/kernels/dropout_stream.h"
#include "accelerate/models/kernels/low_weights.h"
#include "accelerate/models/packed_layout.h"

namespace accelerate::models {

/// Weights (out, in) and bias (out). Not initialised. Takes activations in the
/// dtype of the weights, or 16-bit ones beside float32 weights on the CPU.
struct Dense : torch::nn::Module {
  Dense(std::int64_t inputs, std::int64_t outputs);
  /// x (rows, in) → (rows, out), dtype of x
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;
  /// As operator(), without the bias, for kernels that add it.
  [[nodiscard]] at::Tensor without_bias(const at::Tensor& x) const;

  at::Tensor weight, bias;

 private:
  mutable LowWeights low_weight_;
};

/// Scale and shift (hidden) of a LayerNorm.
struct Norm : torch::nn::Module {
  explicit Norm(const BertConfig& config);
  [[nodiscard]] NormWeights weights() const {
    return {weight, bias, epsilon};
  }

  at::Tensor weight, bias;
  double epsilon;
};

/// A look-up table (rows, hidden).
struct Table : torch::nn::Module {
  Table(std::int64_t rows, std::int64_t width);

  at::Tensor weight;
};

/// Packed ids of a batch, checked.
struct PackedTokens {
  at::Tensor ids; ///< (T) int64
  at::Tensor types; ///< (T) int64
};

struct Embeddings : torch::nn::Module {
  explicit Embeddings(const BertConfig& config);
  /// @param low 16-bit format of the matrix products, if any
  /// @return (T, hidden)
  [[nodiscard]] HiddenState forward(
      const PackedTokens& tokens,
      const PackedLayout& layout,
      DropoutStream& stream,
      std::optional<at::ScalarType> low) const;

  std::shared_ptr<Table> word, position, type;
  std::shared_ptr<Norm> norm;
  std::int64_t padding_id;
  double dropout;
};

struct SelfAttention : torch::nn::Module {
  explicit SelfAttention(const BertConfig& config);
  /// x (T, hidden) → (T, hidden), before the output projection
  [[nodiscard]] at::Tensor forward(
      const at::Tensor& x,
      const PackedLayout& layout,
      DropoutStream& stream) const;
  /// The first token of each sequence only.
  /// @param first (B, hidden), the rows of x that ask
  [[nodiscard]] at::Tensor forward_first(
      const at::Tensor& first,
      const at::Tensor& x,
      const PackedLayout& layout,
      DropoutStream& stream) const;

  std::shared_ptr<Dense> query, key, value;
  std::int64_t heads;
  double dropout;

 private:
  /// x · [weights]ᵀ + bias
  [[nodiscard]] at::Tensor project(
      const at::Tensor& x,
      at::ArrayRef<at::Tensor> weights,
      const at::Tensor& bias) const;

  mutable LowWeights low_weights_;
};

/// Dense, dropout, residual and LayerNorm: the end of each half of a layer.
struct ResidualOutput : torch::nn::Module {
  ResidualOutput(const BertConfig& config, std::int64_t inputs);
  [[nodiscard]] HiddenState forward(
      const at::Tensor& x,
      const at::Tensor& residual,
      DropoutStream& stream) const;

  std::shared_ptr<Dense> dense;
  std::shared_ptr<Norm> norm;
  double dropout;
};

struct Layer : torch::nn::Module {
  explicit Layer(const BertConfig& config);
  /// x (T, hidden) → (T, hidden)
  [[nodiscard]] HiddenState forward(
      const HiddenState& x,
      const PackedLayout& layout,
      DropoutStream& stream) const;
  /// x (T, hidden) → (B, hidden), the first token of each sequence.
  [[nodiscard]] HiddenState forward_first(
      const HiddenState& x,
      const PackedLayout& layout,
      DropoutStream& stream) const;

  std::shared_ptr<SelfAttention> attention;
  std::shared_ptr<ResidualOutput> attention_output;
  std::shared_ptr<Dense> intermediate;
  std::shared_ptr<ResidualOutput> output;
  HiddenActivation activation;

 private:
  [[nodiscard]] HiddenState feed_forward(
      const HiddenState& x,
      DropoutStream& stream) const;
};

} // namespace accelerate::models
