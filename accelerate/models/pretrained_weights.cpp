// accelerate/models/pretrained_weights.cpp
#include "accelerate/models/pretrained_weights.h"

#include "accelerate/error.h"
#include "accelerate/io/safetensors_shards.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/normal.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>
#include <string_view>

namespace accelerate::models {
namespace {

constexpr std::string_view kWhere = "models.load";
constexpr std::string_view kPrefix = "bert.";

/// Replaces the end `from` of `name` by `to`, if it ends so.
void replace_end(
    std::string& name,
    std::string_view from,
    std::string_view to) {
  if (name.ends_with(from)) {
    name.replace(name.size() - from.size(), from.size(), to);
  }
}

/// The name that a checkpoint's tensor has in every model: without prefix and
/// with today's names of LayerNorm's parameters.
std::string plain_name(std::string name) {
  if (name.starts_with(kPrefix)) {
    name.erase(0, kPrefix.size());
  }
  replace_end(name, "LayerNorm.gamma", "LayerNorm.weight");
  replace_end(name, "LayerNorm.beta", "LayerNorm.bias");
  return name;
}

/// A buffer that old checkpoints hold and no model needs.
bool is_position_ids(const std::string& plain) {
  return plain == "embeddings.position_ids" ||
      plain == "embeddings.token_type_ids";
}

std::string shape_text(at::IntArrayRef sizes) {
  std::string text = "(";
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    text += concat(i > 0 ? ", " : "", sizes[i]);
  }
  return text + ")";
}

/// Plain name → the checkpoint's own name.
std::map<std::string, std::string> checkpoint_names(
    const SafetensorsIndex& checkpoint,
    const std::filesystem::path& folder) {
  std::map<std::string, std::string> names;
  for (const std::string& name : checkpoint.names()) {
    const std::string plain = plain_name(name);
    if (is_position_ids(plain)) {
      continue;
    }
    const auto [it, is_new] = names.emplace(plain, name);
    ACCELERATE_CHECK(
        is_new,
        CheckpointError,
        kWhere,
        "'",
        it->second,
        "' and '",
        name,
        "' in '",
        folder.string(),
        "' both name the parameter '",
        plain,
        "'");
  }
  return names;
}

/// Copies one tensor; false when its shape differs and may.
bool copy_weight(
    const NamedTensor& parameter,
    const at::Tensor& stored,
    const std::filesystem::path& folder,
    OtherShapes other_shapes) {
  if (stored.sizes() != parameter.tensor.sizes()) {
    ACCELERATE_CHECK(
        other_shapes == OtherShapes::kReport,
        ConfigError,
        kWhere,
        "'",
        parameter.name,
        "' has shape ",
        shape_text(stored.sizes()),
        " in '",
        folder.string(),
        "', expected ",
        shape_text(parameter.tensor.sizes()),
        "; set ignore_mismatched_sizes to initialise it anew");
    return false;
  }
  parameter.tensor.copy_(stored);
  return true;
}

} // namespace

void initialize_parameter(
    const NamedTensor& parameter,
    const BertConfig& config,
    const std::optional<at::Generator>& generator) {
  const c10::NoGradGuard no_grad;
  const at::Tensor& tensor = parameter.tensor;
  const std::string& name = parameter.name;
  if (name.ends_with("LayerNorm.weight")) {
    tensor.fill_(1);
    return;
  }
  if (name.ends_with(".bias")) {
    tensor.zero_();
    return;
  }
  tensor.normal_(0, config.initializer_range, generator);
  if (config.pad_token_id && name.ends_with("word_embeddings.weight")) {
    tensor.select(0, *config.pad_token_id).zero_();
  }
}

LoadReport load_weights(
    const std::filesystem::path& folder,
    const std::vector<NamedTensor>& parameters,
    OtherShapes other_shapes) {
  const c10::NoGradGuard no_grad;
  const SafetensorsIndex checkpoint = open_safetensors(folder);
  std::map<std::string, std::string> names =
      checkpoint_names(checkpoint, folder);
  LoadReport report;
  for (const NamedTensor& parameter : parameters) {
    const auto found = names.find(plain_name(parameter.name));
    if (found == names.end()) {
      report.missing.push_back(parameter.name);
      continue;
    }
    const at::Tensor stored = checkpoint.tensor(found->second);
    if (!copy_weight(parameter, stored, folder, other_shapes)) {
      report.mismatched.push_back(parameter.name);
    }
    names.erase(found);
  }
  for (const auto& [plain, name] : names) {
    report.unexpected.push_back(name);
  }
  ACCELERATE_CHECK(
      report.missing.size() < parameters.size(),
      CheckpointError,
      kWhere,
      "none of the tensors in '",
      folder.string(),
      "' belongs to this model",
      names.empty() ? ""
                    : concat("; the first is '", names.begin()->second, "'"));
  return report;
}

} // namespace accelerate::models
