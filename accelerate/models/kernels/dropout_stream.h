// accelerate/models/kernels/dropout_stream.h: random numbers of one forward
// pass, addressed by counters instead of stored as masks.
#pragma once

#include <cstdint>

#include "accelerate/api.h"

namespace accelerate::models {

/// Names the random numbers of one dropout in one forward pass. Forward and
/// backward compute the same mask from it, so no mask is kept.
struct DropoutKey {
  std::uint64_t seed = 0;
  std::uint32_t site = 0; ///< counts the dropouts of one forward pass
  double probability = 0; ///< of dropping; 0 keeps everything
};

/// Hands out one key per dropout. The seed comes from libtorch's default CPU
/// generator, so that set_seed reproduces every mask.
class ACCELERATE_API DropoutStream {
 public:
  /// Draws the seed, once a forward pass.
  [[nodiscard]] static DropoutStream from_default_generator();
  /// A stream that drops nothing and draws nothing: evaluation.
  [[nodiscard]] static DropoutStream off() {
    return DropoutStream();
  }

  explicit DropoutStream(std::uint64_t seed) : seed_(seed), active_(true) {}

  [[nodiscard]] DropoutKey next(double probability) {
    return {seed_, site_++, active_ ? probability : 0.0};
  }

 private:
  DropoutStream() = default;

  std::uint64_t seed_ = 0;
  std::uint32_t site_ = 0;
  bool active_ = false;
};

} // namespace accelerate::models
