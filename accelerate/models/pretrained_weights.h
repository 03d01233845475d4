// accelerate/models/pretrained_weights.h: from the tensors of a checkpoint to
// the parameters of a model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>

#include "accelerate/api.h"
#include "accelerate/models/bert_config.h"
#include "accelerate/nested/named_tensor.h"

namespace accelerate::models {

/// Initialises one parameter as transformers does: LayerNorm to 1 and 0,
/// other biases to 0, weights to normal(0, initializer_range), the word
/// embedding of the padding id to 0.
/// @param name its full name
ACCELERATE_API void initialize_parameter(
    const NamedTensor& parameter,
    const BertConfig& config,
    const std::optional<at::Generator>& generator);

/// What load_weights found, by the model's names.
struct LoadReport {
  std::vector<std::string> missing; ///< parameters the checkpoint lacks
  std::vector<std::string> mismatched; ///< parameters of another shape
  std::vector<std::string> unexpected; ///< tensors the model lacks
};

enum class OtherShapes { kReject, kReport };

/// Copies the checkpoint in `folder` into the parameters, converting dtypes.
/// The prefix "bert." is optional on both sides, the older names
/// LayerNorm.gamma and LayerNorm.beta are understood, position_ids left out.
/// @throws ConfigError naming a parameter, both shapes and the file, when the
///   shapes differ and `other_shapes` is kReject.
/// @throws CheckpointError when there are no weights in the folder, they are
///   damaged, two tensors name one parameter, or none fits.
[[nodiscard]] ACCELERATE_API LoadReport load_weights(
    const std::filesystem::path& folder,
    const std::vector<NamedTensor>& parameters,
    OtherShapes other_shapes);

} // namespace accelerate::models
