// accelerate/inspect/model_memory.cpp: how much memory a model needs, from the
// headers of its files and its configuration.
#include "accelerate/inspect/model_memory.h"

#include "accelerate/error.h"
#include "accelerate/io/mapped_file.h"
#include "accelerate/io/safetensors_layout.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string_view>

namespace accelerate::inspect {
namespace {

constexpr const char* kWhere = "inspect.model_memory";
constexpr std::uint64_t kFloatBytes = 4;

/// What transformers 5 does with a type of model, which its files do not say.
struct TypeFacts {
  std::string_view model_type;
  bool keeps_blocks_whole;
  bool keeps_embeddings_whole;
  int position_buffers; ///< of int64, one value for each position
  bool has_rotary_buffers;
};
constexpr TypeFacts kTypes[] = {
    {"bert", true, true, 2, false},
    {"distilbert", false, false, 1, false},
    {"electra", false, false, 2, false},
    {"gpt2", true, false, 0, false},
    {"llama", true, false, 0, true},
    {"mistral", true, false, 0, true},
    {"roberta", true, true, 2, false},
};
constexpr TypeFacts kOtherType{"", true, false, 0, false};

const TypeFacts& facts_of(const io::ModelConfig& config) {
  for (const TypeFacts& facts : kTypes) {
    if (facts.model_type == config.model_type) {
      return facts;
    }
  }
  return kOtherType;
}

bool is_integer(io::TensorDtype dtype) {
  const std::string_view name = io::tensor_dtype_name(dtype);
  return name == "BOOL" || name.front() == 'U' || name.front() == 'I';
}

struct TensorSize {
  std::uint64_t elements;
  std::uint64_t bytes; ///< in float32 unless it is an integer
};

TensorSize size_of(const io::TensorPlace& place) {
  const std::uint64_t held = place.end_byte - place.begin_byte;
  const std::uint64_t elements = held / io::tensor_dtype_bytes(place.dtype);
  return {elements, is_integer(place.dtype) ? held : elements * kFloatBytes};
}

bool is_number(std::string_view part) {
  return !part.empty() &&
      part.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The part of a tensor's name that names the layer which is kept whole, if it
/// is in one: `encoder.layer.3` of `encoder.layer.3.output.dense.weight`.
std::string whole_module(const std::string& name, const TypeFacts& facts) {
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t dot = name.find('.', begin);
    if (dot == std::string::npos) {
      return "";
    }
    const auto part = std::string_view(name).substr(begin, dot - begin);
    const bool is_embeddings = part == "embeddings" &&
        (begin == 0 ||
         name.substr(0, begin - 1) == std::string(facts.model_type));
    if ((facts.keeps_blocks_whole && is_number(part)) ||
        (facts.keeps_embeddings_whole && is_embeddings)) {
      return name.substr(0, dot);
    }
    begin = dot + 1;
  }
  return "";
}

/// Sums by layer.
class Layers {
 public:
  explicit Layers(const TypeFacts& facts) : facts_(facts) {}

  void add(const std::string& name, std::uint64_t bytes) {
    std::string layer = whole_module(name, facts_);
    if (layer.empty()) {
      const std::size_t dot = name.rfind('.');
      // A tensor of the model itself is a layer of its own.
      layer = dot == std::string::npos ? name : name.substr(0, dot);
      for (std::size_t at = layer.find('.'); at != std::string::npos;
           at = layer.find('.', at + 1)) {
        parents_.insert(layer.substr(0, at));
      }
    }
    bytes_[layer] += bytes;
  }

  void find_largest(WeightSizes& sizes) const {
    for (const auto& [layer, bytes] : bytes_) {
      // Tensors beside modules: the original looks at the modules only.
      if (parents_.contains(layer) || bytes < sizes.largest_layer_bytes) {
        continue;
      }
      if (bytes > sizes.largest_layer_bytes) {
        sizes.largest_layer_bytes = bytes;
        sizes.largest_layers.clear();
      }
      sizes.largest_layers.push_back(layer);
    }
  }

 private:
  const TypeFacts& facts_;
  std::map<std::string, std::uint64_t> bytes_;
  std::set<std::string> parents_;
};

/// Adds the buffers that are not in the files.
void add_buffers(
    const TypeFacts& facts,
    const io::ModelConfig& config,
    const std::set<std::string>& names,
    Layers& layers,
    WeightSizes& sizes) {
  const auto add = [&](const char* name, std::uint64_t bytes) {
    if (!names.contains(name)) {
      layers.add(name, bytes);
      sizes.total_bytes += bytes;
    }
  };
  const char* const positions[] = {
      "embeddings.position_ids", "embeddings.token_type_ids"};
  for (int buffer = 0; buffer < facts.position_buffers; ++buffer) {
    add(positions[buffer],
        static_cast<std::uint64_t>(config.max_position_embeddings) *
            sizeof(std::int64_t));
  }
  if (facts.has_rotary_buffers && config.num_attention_heads > 0) {
    const auto pairs = static_cast<std::uint64_t>(
        config.hidden_size / config.num_attention_heads / 2);
    add("rotary_emb.inv_freq", pairs * kFloatBytes);
    add("rotary_emb.original_inv_freq", pairs * kFloatBytes);
  }
}

} // namespace

WeightSizes measure_weights(
    const std::vector<std::filesystem::path>& files,
    const io::ModelConfig& config) {
  const TypeFacts& facts = facts_of(config);
  Layers layers(facts);
  WeightSizes sizes;
  std::set<std::string> names;
  for (const auto& path : files) {
    const io::MappedFile file(path);
    const auto layout = io::parse_safetensors_layout(file.bytes(), file.path());
    for (const std::string& name : layout.names) {
      ACCELERATE_CHECK(
          names.insert(name).second,
          CheckpointError,
          kWhere,
          "'",
          file.path(),
          "': tensor '",
          name,
          "' is in another file too");
      const TensorSize size = size_of(layout.tensors.at(name));
      layers.add(name, size.bytes);
      sizes.elements += size.elements;
      sizes.total_bytes += size.bytes;
    }
  }
  sizes.tensors = names.size();
  add_buffers(facts, config, names, layers, sizes);
  layers.find_largest(sizes);
  return sizes;
}

const char* weight_dtype_name(WeightDtype dtype) {
  constexpr const char* kNames[] = {
      "float32", "float16", "bfloat16", "int8", "int4"};
  return kNames[static_cast<std::size_t>(dtype)];
}

std::uint64_t bytes_in(std::uint64_t float32_bytes, WeightDtype dtype) {
  constexpr std::uint64_t kDivisors[] = {1, 2, 2, 4, 8};
  return float32_bytes / kDivisors[static_cast<std::size_t>(dtype)];
}

std::optional<TrainingMemory> training_memory(
    std::uint64_t float32_bytes,
    WeightDtype dtype) {
  switch (dtype) {
    case WeightDtype::kFloat32:
      return TrainingMemory{float32_bytes, float32_bytes, 2 * float32_bytes};
    case WeightDtype::kFloat16:
    case WeightDtype::kBFloat16:
      return TrainingMemory{
          float32_bytes, float32_bytes + float32_bytes / 2, 2 * float32_bytes};
    default:
      return std::nullopt;
  }
}

std::optional<std::uint64_t> original_training_bytes(
    std::uint64_t float32_bytes,
    WeightDtype dtype) {
  const auto training = training_memory(float32_bytes, dtype);
  if (!training) {
    return std::nullopt;
  }
  return dtype == WeightDtype::kFloat32 ? training->sum() : training->optimizer;
}

TrainingMemory
rank_memory(const TrainingMemory& whole, Sharding stage, int num_processes) {
  ACCELERATE_CHECK(
      num_processes >= 1,
      ConfigError,
      kWhere,
      "num_processes is ",
      num_processes,
      ", expected at least 1");
  const auto ranks = static_cast<std::uint64_t>(num_processes);
  // The rank with the largest part counts.
  const auto part = [&](std::uint64_t bytes, Sharding from) {
    return stage >= from ? (bytes + ranks - 1) / ranks : bytes;
  };
  return {
      part(whole.weights, Sharding::kWeights),
      part(whole.gradients, Sharding::kGradients),
      part(whole.optimizer, Sharding::kOptimizer)};
}

std::optional<ActivationMemory> activation_memory(
    const io::ModelConfig& config,
    const BatchShape& batch,
    WeightDtype dtype) {
  ACCELERATE_CHECK(
      batch.batch_size >= 1 && batch.sequence_length >= 1,
      ConfigError,
      kWhere,
      "a batch of ",
      batch.batch_size,
      " rows of ",
      batch.sequence_length,
      " tokens, expected at least 1 of each");
  if (config.hidden_size == 0 || config.num_layers == 0 ||
      config.num_attention_heads == 0) {
    return std::nullopt;
  }
  const double e = dtype == WeightDtype::kFloat32 ? 4 : 2;
  const auto b = static_cast<double>(batch.batch_size);
  const auto s = static_cast<double>(batch.sequence_length);
  const auto h = static_cast<double>(config.hidden_size);
  const auto i = config.intermediate_size > 0
      ? static_cast<double>(config.intermediate_size)
      : 4 * h; // GPT-2 leaves it out when it is that
  const auto a = static_cast<double>(config.num_attention_heads);
  const double layers = static_cast<double>(config.num_layers);
  const double fused = layers * s * b * e * (8 * h + 2 * i);
  const double bytes =
      fused + layers * (2 * s * b * h + a * s * s * b * (2 * e + 1));
  ACCELERATE_CHECK(
      bytes < 9e18,
      ConfigError,
      kWhere,
      "a batch of ",
      batch.batch_size,
      " rows of ",
      batch.sequence_length,
      " tokens needs more than 2^63 bytes");
  return ActivationMemory{
      static_cast<std::uint64_t>(bytes), static_cast<std::uint64_t>(fused)};
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KB", "MB", "GB", "TB", "PB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit < 5) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f" : "%.2f", value);
  std::string number = text;
  if (number.ends_with("0") && unit > 0) {
    number.pop_back();
  }
  return number + ' ' + kUnits[unit];
}

} // namespace accelerate::inspect
