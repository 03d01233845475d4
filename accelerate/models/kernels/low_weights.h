// accelerate/models/kernels/low_weights.h: 16-bit copies of float weights, made
// once for each change of the weights.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/StorageImpl.h>
#include <c10/util/intrusive_ptr.h>

#include "accelerate/api.h"

namespace accelerate::models {

/// The 16-bit copy of some float matrices, below each other. It is made again
/// when one of them was changed: in place (optimisers, copy_), by loading a
/// state, or by getting other memory (moved, set_data).
///
/// A write through data() or a raw pointer leaves no trace in a tensor. It is
/// seen all the same when it reaches one of the numbers that are looked at,
/// sixteen of every 1024: an update of a whole matrix is, a single changed
/// number may not be; change those under a NoGradGuard instead.
/// Thread-safety: all functions may be called at the same time.
class ACCELERATE_API LowWeights {
 public:
  /// @param weights (out_i, in) float32 on the CPU
  /// @param dtype kBFloat16 or kHalf
  /// @return (Σ out_i, in) rounded; nobody writes to it any more while the
  ///   caller holds it
  [[nodiscard]] at::Tensor get(
      at::ArrayRef<at::Tensor> weights,
      at::ScalarType dtype);

  /// Frees the copy.
  void release();

 private:
  /// What a copy was made of.
  struct Source {
    c10::weak_intrusive_ptr<c10::StorageImpl> storage; // keeps the address
    const void* data;
    std::uint32_t version;
    std::uint64_t sample;
  };

  [[nodiscard]] bool is_current(
      at::ArrayRef<at::Tensor> weights,
      at::ScalarType dtype) const;
  void round(at::ArrayRef<at::Tensor> weights, at::ScalarType dtype);

  std::mutex mutex_;
  std::vector<Source> sources_; // empty: no copy
  at::Tensor low_;
};

} // namespace accelerate::models
