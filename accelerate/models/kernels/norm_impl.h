// accelerate/models/kernels/norm_impl.h: bias, dropout, residual and LayerNorm
// in one pass over each row.
#pragma once

#include "accelerate/models/kernels/philox_impl.h"
#include "accelerate/models/kernels/simd_impl.h"
#include "accelerate/models/kernels/vector_impl.h"

namespace accelerate::models::ACCELERATE_ISA {
namespace {

/// x = dropout(x + bias) + residual; returns the sum of the row.
inline float add_branches(
    const NormForwardArguments& arguments,
    std::int64_t row,
    float* keep) {
  const std::int64_t n = arguments.n;
  float* x = arguments.x + row * n;
  const float* residual =
      arguments.residual ? arguments.residual + row * n : nullptr;
  const bool drops = arguments.dropout.threshold != 0;
  if (drops) {
    dropout_row(arguments.dropout, row, n, keep);
  }
  Vec sum{};
  for_each_vector(n, [&](std::int64_t i, auto get, auto put) {
    Vec value = get(x + i);
    if (arguments.bias) {
      value += get(arguments.bias + i);
    }
    if (drops) {
      value *= get(keep + i);
    }
    if (residual) {
      value += get(residual + i);
    }
    put(x + i, value);
    sum += value;
  });
  return sum_lanes(sum);
}

inline void norm_forward(
    const NormForwardArguments& arguments,
    std::int64_t begin,
    std::int64_t end,
    float* keep) {
  const std::int64_t n = arguments.n;
  for (std::int64_t row = begin; row < end; ++row) {
    float* x = arguments.x + row * n;
    float* y = arguments.y + row * n;
    const float mean =
        add_branches(arguments, row, keep) / static_cast<float>(n);
    float squares = 0;
    for (std::int64_t i = n / kLanes * kLanes; i < n; ++i) {
      squares += (x[i] - mean) * (x[i] - mean);
    }
    Vec sum{};
    for (std::int64_t i = 0; i + kLanes <= n; i += kLanes) {
      const Vec centred = load(x + i) - mean;
      sum += centred * centred;
    }
    squares += sum_lanes(sum);
    const float inverse = 1.0f /
        __builtin_sqrtf(squares / static_cast<float>(n) + arguments.epsilon);
    arguments.inverse_deviation[row] = inverse;
    for_each_vector(n, [&](std::int64_t i, auto get, auto put) {
      const Vec normalized = (get(x + i) - mean) * inverse;
      put(x + i, normalized);
      put(y + i,
          normalized * get(arguments.gamma + i) + get(arguments.beta + i));
    });
  }
}

/// Adds one row to dgamma and dbeta; returns Σ g and Σ g · normalized with
/// g = dy · gamma.
struct RowSums {
  float gradient;
  float projection;
};

inline RowSums reduce_row(
    const NormBackwardArguments& arguments,
    std::int64_t row,
    const NormSums& sums) {
  const float* dy = arguments.dy + row * arguments.n;
  const float* normalized = arguments.normalized + row * arguments.n;
  Vec gradient_sum{};
  Vec projection_sum{};
  for_each_vector(arguments.n, [&](std::int64_t i, auto get, auto put) {
    const Vec upstream = get(dy + i);
    const Vec value = get(normalized + i);
    const Vec gradient = upstream * get(arguments.gamma + i);
    put(sums.dgamma + i, get(sums.dgamma + i) + upstream * value);
    put(sums.dbeta + i, get(sums.dbeta + i) + upstream);
    gradient_sum += gradient;
    projection_sum += gradient * value;
  });
  return {sum_lanes(gradient_sum), sum_lanes(projection_sum)};
}

inline void norm_backward(
    const NormBackwardArguments& arguments,
    std::int64_t begin,
    std::int64_t end,
    const NormSums& sums,
    float* keep) {
  const std::int64_t n = arguments.n;
  const bool drops = arguments.dropout.threshold != 0;
  for (std::int64_t row = begin; row < end; ++row) {
    const RowSums row_sums = reduce_row(arguments, row, sums);
    const float mean = row_sums.gradient / static_cast<float>(n);
    const float slope = row_sums.projection / static_cast<float>(n);
    const float inverse = arguments.inverse_deviation[row];
    const float* dy = arguments.dy + row * n;
    const float* normalized = arguments.normalized + row * n;
    float* dresidual = arguments.dresidual + row * n;
    float* dx = drops ? arguments.dx + row * n : nullptr;
    if (drops) {
      dropout_row(arguments.dropout, row, n, keep);
    }
    for_each_vector(n, [&](std::int64_t i, auto get, auto put) {
      const Vec gradient = get(dy + i) * get(arguments.gamma + i);
      Vec dz = (gradient - mean - get(normalized + i) * slope) * inverse;
      put(dresidual + i, dz);
      if (drops) {
        dz *= get(keep + i);
        put(dx + i, dz);
      }
      put(sums.dbias + i, get(sums.dbias + i) + dz);
    });
  }
}

} // namespace
} // namespace accelerate::models::ACCELERATE_ISA
