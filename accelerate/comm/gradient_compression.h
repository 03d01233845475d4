// accelerate/comm/gradient_compression.h: gradients that travel smaller than
// they are.
#pragma once

#include <cstdint>
#include <string_view>

#include "accelerate/api.h"

namespace accelerate {

/// How the gradients of a bucket are made smaller before they are exchanged.
/// What is lost stays lost, except where PowerSGD feeds it back.
enum class CommHook {
  kNone, ///< they travel as they are
  kFp16, ///< in half precision
  kBf16, ///< in bfloat16
  kPowerSgd, ///< each matrix as a product of two thin ones
  kBatchedPowerSgd, ///< a whole bucket as one square matrix: faster, coarser
};

/// `no`, `fp16`, `bf16`, `power_sgd` or `batched_power_sgd`.
[[nodiscard]] ACCELERATE_API std::string_view to_string(CommHook hook);

/// Settings of PowerSGD, with the names and defaults of
/// torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook.PowerSGDState.
struct ACCELERATE_API PowerSgdOptions {
  /// Columns of the two thin matrices: more of them are closer to the gradient
  /// and larger. At least 1.
  std::int64_t matrix_approximation_rank = 1;
  /// Iterations of plain exchange before the first compressed one: early
  /// gradients suffer most. At least 2 with feedback or warm start, because
  /// buckets are ordered anew after the first iteration.
  std::int64_t start_power_sgd_iter = 1000;
  /// A matrix that would not become smaller by this factor travels as it is.
  double min_compression_rate = 2;
  /// What compression dropped is added to the next gradients; costs a copy of
  /// the gradients.
  bool use_error_feedback = true;
  /// Start from the thin matrices of the last iteration instead of random ones.
  bool warm_start = true;
  /// Added to the length of a column before dividing by it; at least 0. A
  /// column of zeros stays one, with 0 as well.
  double orthogonalization_epsilon = 0;
  /// Of the random matrices, the same on all ranks.
  std::uint32_t random_seed = 0;
  /// Iterations between two lines in the log (level info) about the sizes
  /// before and after; below 1 counts as 1.
  std::int64_t compression_stats_logging_frequency = 10'000;
  /// Work on equally large matrices of a bucket at once.
  bool batch_tensors_with_same_shape = false;

  /// @throws ConfigError for values out of range.
  void validate() const;
};

} // namespace accelerate
