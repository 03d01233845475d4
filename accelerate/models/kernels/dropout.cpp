// accelerate/models/kernels/dropout.cpp
#include "accelerate/models/kernels/dropout.h"

#include "accelerate/models/kernels/dropout_arguments_impl.h"
#include "accelerate/models/kernels/low_precision.h"
#include "accelerate/models/kernels/simd_impl.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty.h>

#include <memory>

namespace accelerate::models {

bool has_own_kernels(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat &&
      !at::autocast::is_autocast_enabled(at::kCPU);
}

at::Tensor
dropout_multipliers(const DropoutKey& key, std::int64_t rows, std::int64_t n) {
  at::Tensor result = at::empty({rows, n}, at::kFloat);
  float* out = result.mutable_data_ptr<float>();
  const DropoutArguments arguments = dropout_arguments(key);
  // The loop writes whole blocks.
  const std::int64_t room = round_up(n, kDropoutBlock);
  at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
    const auto keep = std::make_unique<float[]>(static_cast<std::size_t>(room));
    for (std::int64_t row = begin; row < end; ++row) {
      simd_kernels().dropout_row(arguments, row, n, keep.get());
      std::copy_n(keep.get(), n, out + row * n);
    }
  });
  return result;
}

at::Tensor dropout(const at::Tensor& x, const DropoutKey& key) {
  if (key.probability == 0) {
    return x;
  }
  if (!x.is_cpu()) {
    return at::dropout(x, key.probability, /*train=*/true);
  }
  const at::Tensor keep = dropout_multipliers(key, x.size(0), x.size(1));
  if (has_low_kernels(x)) {
    // 1 / (1 - p) rounded to 8 bits would change the mean.
    return (x.to(at::kFloat) * keep).to(x.scalar_type());
  }
  return x * keep.to(x.scalar_type());
}

} // namespace accelerate::models
