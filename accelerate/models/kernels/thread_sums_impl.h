// accelerate/models/kernels/thread_sums_impl.h: sums over rows, computed by
// several threads without sharing a line.
#pragma once

#include <cstdint>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

namespace accelerate::models {

/// One zeroed vector of n floats per thread of a parallel_for over `rows`.
class ThreadSums {
 public:
  ThreadSums(std::int64_t rows, std::int64_t n, std::int64_t grain)
      : n_(n),
        sums_(at::zeros(
            {rows > grain ? at::get_num_threads() : 1, n},
            at::kFloat)),
        data_(sums_.mutable_data_ptr<float>()) {}

  /// The calling thread's vector, inside the parallel_for.
  [[nodiscard]] float* mine() const {
    // With one vector, parallel_for runs on the calling thread, whose number
    // may be any when it is itself part of a team.
    return sums_.size(0) == 1 ? data_ : data_ + at::get_thread_num() * n_;
  }

  /// (n), the sum over threads.
  [[nodiscard]] at::Tensor total() const {
    return sums_.size(0) == 1 ? sums_.select(0, 0) : sums_.sum(0);
  }

 private:
  std::int64_t n_;
  at::Tensor sums_; // [thread]
  float* data_;
};

} // namespace accelerate::models
