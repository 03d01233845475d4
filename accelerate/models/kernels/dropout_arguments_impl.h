// accelerate/models/kernels/dropout_arguments_impl.h: a key as the loops take
// it, and as an autograd context keeps it.
#pragma once

#include <algorithm>
#include <cmath>

#include "accelerate/models/kernels/dropout_stream.h"
#include "accelerate/models/kernels/simd_impl.h"

namespace accelerate::models {

inline DropoutArguments dropout_arguments(const DropoutKey& key) {
  constexpr double kSteps = 65536;
  const double threshold =
      std::min(std::round(key.probability * kSteps), kSteps - 1);
  return {
      key.seed,
      key.site,
      static_cast<std::uint32_t>(threshold),
      static_cast<float>(kSteps / (kSteps - threshold))};
}

} // namespace accelerate::models
