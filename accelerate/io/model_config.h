// accelerate/io/model_config.h: what config.json says about the shape of a
// model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "accelerate/api.h"

namespace accelerate::io {

/// Of a transformer; a number that the file does not give is 0.
struct ModelConfig {
  std::string model_type; ///< such as `bert`
  std::int64_t hidden_size = 0;
  std::int64_t num_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t max_position_embeddings = 0;
};

/// Reads it, also under the names of GPT-2 (n_embd …) and DistilBERT (dim …).
/// @param path a config.json, of at most 1 MiB
/// @throws CheckpointError naming the file, and where it applies the field: a
///   number that is negative, none, or more than 2^31 - 1
[[nodiscard]] ACCELERATE_API ModelConfig
read_model_config(const std::filesystem::path& path);

} // namespace accelerate::io
