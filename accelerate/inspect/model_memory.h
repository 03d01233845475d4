// accelerate/inspect/model_memory.h: how much memory a model needs, from the
// headers of its files and its configuration; no weights are read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/io/model_config.h"

namespace accelerate::inspect {

/// What a model's weights take in float32; integers keep their size.
struct WeightSizes {
  std::size_t tensors = 0;
  std::uint64_t elements = 0;
  std::uint64_t total_bytes = 0;
  /// Of a layer that is not divided: a block of a list of blocks, or a module
  /// without modules in it.
  std::uint64_t largest_layer_bytes = 0;
  std::vector<std::string> largest_layers; ///< in the order of their names
};

/// Reads the headers. Buffers that the Python library's model makes itself
/// (positions, rotary frequencies) are added for the model types that it is
/// known of; they are not in the files.
/// @param files safetensors files of one model
/// @param config without a model type nothing is added, and blocks are the
///   modules with a number for a name
/// @throws CheckpointError as parse_safetensors_layout()
/// Source: accelerate calculate_maximum_sizes
[[nodiscard]] ACCELERATE_API WeightSizes measure_weights(
    const std::vector<std::filesystem::path>& files,
    const io::ModelConfig& config);

enum class WeightDtype { kFloat32, kFloat16, kBFloat16, kInt8, kInt4 };
inline constexpr std::array<WeightDtype, 5> kWeightDtypes{
    WeightDtype::kFloat32,
    WeightDtype::kFloat16,
    WeightDtype::kBFloat16,
    WeightDtype::kInt8,
    WeightDtype::kInt4};

/// `float32` …
[[nodiscard]] ACCELERATE_API const char* weight_dtype_name(WeightDtype dtype);

/// Bytes in `dtype` of what takes `float32_bytes` in float32.
[[nodiscard]] ACCELERATE_API std::uint64_t bytes_in(
    std::uint64_t float32_bytes,
    WeightDtype dtype);

/// What training with Adam keeps from step to step, in bytes.
struct TrainingMemory {
  std::uint64_t weights = 0;
  std::uint64_t gradients = 0;
  std::uint64_t optimizer = 0;

  [[nodiscard]] std::uint64_t sum() const {
    return weights + gradients + optimizer;
  }
  bool operator==(const TrainingMemory&) const = default;
};

/// With float16 and bfloat16 the weights stay in float32 and a copy of half
/// the size is computed with; nullopt for dtypes that are not trained in.
/// Source: accelerate estimate_training_usage
[[nodiscard]] ACCELERATE_API std::optional<TrainingMemory> training_memory(
    std::uint64_t float32_bytes,
    WeightDtype dtype);

/// The number that the original shows: four times the weights in float32,
/// twice the weights of float32 in float16 and bfloat16.
/// Source: accelerate estimate_command
[[nodiscard]] ACCELERATE_API std::optional<std::uint64_t>
original_training_bytes(std::uint64_t float32_bytes, WeightDtype dtype);

/// What is divided among the ranks; the rest every rank holds.
enum class Sharding { kNone, kOptimizer, kGradients, kWeights };

/// One rank's part. ZeRO's stage 1 divides the optimizer's state, stage 2 the
/// gradients too, stage 3 the weights too.
/// @param num_processes at least 1
/// Source: Rajbhandari et al. 2020, arXiv:1910.02054, section 5
[[nodiscard]] ACCELERATE_API TrainingMemory
rank_memory(const TrainingMemory& whole, Sharding stage, int num_processes);

/// How a batch lies: rows of tokens, padded to one length.
struct BatchShape {
  std::int64_t batch_size = 1;
  std::int64_t sequence_length = 1;
};

/// What the forward pass of a transformer keeps for the backward pass, in
/// bytes, without recomputation. For e bytes per element, batch b, length s,
/// hidden size h, intermediate size i and a heads, per layer:
struct ActivationMemory {
  /// Masks of dropout (one byte) and attention matrices are kept:
  ///   s b h (8 e + 2) + 2 e s b i + a s^2 b (2 e + 1)
  /// With e = 2 and i = 4 h this is the source's s b h (34 + 5 a s / h).
  std::uint64_t plain = 0;
  /// Neither is, as in this library's BERT: s b e (8 h + 2 i)
  std::uint64_t fused = 0;

  bool operator==(const ActivationMemory&) const = default;
};

/// Given for a batch and a type to compute in.
/// @return nullopt when `config` lacks one of the sizes
/// @throws ConfigError when a size of `batch` is below 1 or the result does not
///   fit into 63 bits
/// Source: Korthikanti et al. 2022, arXiv:2205.05198, section 4.1
[[nodiscard]] ACCELERATE_API std::optional<ActivationMemory> activation_memory(
    const io::ModelConfig& config,
    const BatchShape& batch,
    WeightDtype dtype);

/// `86.65 MB`: in units of 1024, rounded to two places.
/// Source: accelerate convert_bytes
[[nodiscard]] ACCELERATE_API std::string format_bytes(std::uint64_t bytes);

} // namespace accelerate::inspect
