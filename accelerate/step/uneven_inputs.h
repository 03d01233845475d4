// accelerate/step/uneven_inputs.h: a part of the loop in which ranks may have
// different numbers of batches.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "accelerate/api.h"
#include "accelerate/comm/joined_models.h"
#include "accelerate/data/loader.h"
#include "accelerate/prepare/model_core.h"

namespace accelerate {

struct JoinOptions {
  /// Whether prepared loaders give all ranks equally many batches while it
  /// lasts; there is nothing to join then. Unset: as the Accelerator says.
  std::optional<bool> even_batches = std::nullopt;
};

namespace step {

/// JoinedModels of prepared models, during which prepared loaders follow
/// another setting of even_batches.
/// Source: accelerate Accelerator.join_uneven_inputs
class ACCELERATE_API UnevenInputs {
 public:
  /// Not collective, but all ranks do it at the same place of the program.
  /// @param models to join; none when ranks have equally many batches
  /// @param loaders whose setting changes; passes that have begun go on as they
  ///   are
  /// @param even_batches the setting, unset to change none
  /// @throws ConfigError when a model is in another join already
  UnevenInputs(
      const ProcessGroup& group,
      std::vector<std::shared_ptr<ModelCore>> models,
      std::span<const DataLoader> loaders,
      std::optional<bool> even_batches);
  UnevenInputs(UnevenInputs&&) noexcept = default;
  UnevenInputs& operator=(UnevenInputs&&) = delete;
  /// Gives the loaders their settings back. Without finish() this rank leaves
  /// without a word, see JoinedModels.
  ~UnevenInputs();

  /// Call it when this rank is through with its data: waits for the others, see
  /// JoinedModels::finish(). Collective. Blocking.
  void finish();

 private:
  struct Kept {
    DataLoader loader;
    bool even_batches;
  };

  void restore();

  std::vector<std::shared_ptr<ModelCore>> models_;
  std::vector<Kept> kept_;
  JoinedModels join_;
};

} // namespace step
} // namespace accelerate
