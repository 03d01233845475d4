// accelerate/models/pretrained_model.cpp
#include "accelerate/models/pretrained_model.h"

#include "accelerate/error.h"
#include "accelerate/io/atomic_file.h"
#include "accelerate/io/safetensors.h"
#include "accelerate/nested/named_tensor.h"

#include <system_error>
#include <vector>

namespace accelerate {
namespace {

// transformers refuses files without it.
constexpr const char* kFormat = "pt";

} // namespace

PretrainedModelImpl::PretrainedModelImpl(const BertConfig& config)
    : config_(config) {
  config_.validate();
}

void PretrainedModelImpl::gradient_checkpointing_enable() {
  is_gradient_checkpointing_ = true;
}

void PretrainedModelImpl::gradient_checkpointing_disable() {
  is_gradient_checkpointing_ = false;
}

void PretrainedModelImpl::save_pretrained(
    const std::filesystem::path& folder) const {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  ACCELERATE_CHECK(
      !error,
      CheckpointError,
      "models.save",
      "cannot make the folder '",
      folder.string(),
      "': ",
      describe_errno(error.value()));
  std::vector<NamedTensor> tensors;
  for (const auto& item : named_parameters()) {
    tensors.push_back({item.key(), item.value().detach().cpu()});
  }
  save_safetensors(
      folder / "model.safetensors", tensors, {{"format", kFormat}});
  write_file_atomically(
      folder / "config.json", config_.to_json(architecture()));
}

} // namespace accelerate
