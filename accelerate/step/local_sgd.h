// accelerate/step/local_sgd.h: ranks that train on their own for some steps.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "accelerate/api.h"
#include "accelerate/comm/process_group.h"
#include "accelerate/prepare/model_core.h"

namespace accelerate {

struct ACCELERATE_API LocalSgdOptions {
  /// Calls of step() from one average of the parameters to the next; at
  /// least 1.
  std::int64_t local_sgd_steps = 1;
  /// Off: gradients are exchanged as without it.
  bool enabled = true;

  /// @throws ConfigError for values out of range.
  void validate() const;
};

/// While it lives, gradients of a model stay on their rank, every rank steps
/// with its own, and every local_sgd_steps steps the parameters become their
/// mean over the ranks. Buffers and states of optimisers stay as they are. In a
/// world of one it does nothing.
/// Source: Stich, Local SGD Converges Fast and Communicates Little (arXiv
/// 1805.09767); accelerate LocalSGD
class ACCELERATE_API LocalSgd {
 public:
  /// Not collective.
  /// @throws ConfigError as LocalSgdOptions::validate().
  LocalSgd(
      const ProcessGroup& group,
      std::shared_ptr<ModelCore> model,
      const LocalSgdOptions& options);

  /// Call it after every step of the optimiser.
  /// Collective: every local_sgd_steps calls.
  /// @throws CommError when the exchange fails.
  void step();

  /// Averages once more and lets gradients be exchanged again. Collective.
  /// Without it, for exceptions, the ranks go on with the parameters they have.
  void finish();

  /// Calls of step() so far.
  [[nodiscard]] std::int64_t num_steps() const {
    return num_steps_;
  }

 private:
  void average() const;

  ProcessGroup group_;
  std::shared_ptr<ModelCore> model_;
  LocalSgdOptions options_;
  std::int64_t num_steps_ = 0;
  std::optional<GradientReducer::NoSync> local_; // empty when off
};

} // namespace accelerate
