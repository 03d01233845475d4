// accelerate/models/kernels/low_norm_impl.h: bias, dropout, residual and
// LayerNorm over a branch of 16-bit floats; the residual stays in float, so
// that rounding does not add up over the layers.
#pragma once

#include "accelerate/models/kernels/low_format_impl.h"
#include "accelerate/models/kernels/philox_impl.h"

namespace accelerate::models::ACCELERATE_ISA {
namespace {

/// line = dropout(x + bias) + residual; returns the mean of the row.
template <typename Format>
inline float low_branches(
    const LowNormForwardArguments& arguments,
    std::int64_t row,
    float* line,
    float* keep) {
  const std::int64_t n = arguments.n;
  const LowBits* x = arguments.x + row * n;
  const float* residual = arguments.residual + row * n;
  const bool drops = arguments.dropout.threshold != 0;
  if (drops) {
    dropout_row(arguments.dropout, row, n, keep);
  }
  Vec sum{};
  for_each_low_vector<Format>(n, [&](std::int64_t i, const auto& lines) {
    Vec value = lines.get(x + i) + lines.get(arguments.bias + i);
    if (drops) {
      value *= lines.get(keep + i);
    }
    value += lines.get(residual + i);
    lines.put(line + i, value);
    sum += value;
  });
  return sum_lanes(sum) / static_cast<float>(n);
}

/// 1 / √(variance + epsilon) of a line.
inline float inverse_deviation(
    const float* line,
    std::int64_t n,
    float mean,
    float epsilon) {
  float squares = 0;
  for (std::int64_t i = n / kLanes * kLanes; i < n; ++i) {
    squares += (line[i] - mean) * (line[i] - mean);
  }
  Vec sum{};
  for (std::int64_t i = 0; i + kLanes <= n; i += kLanes) {
    const Vec centred = load(line + i) - mean;
    sum += centred * centred;
  }
  squares += sum_lanes(sum);
  return 1.0f / __builtin_sqrtf(squares / static_cast<float>(n) + epsilon);
}

template <typename Format>
inline void low_norm_forward(
    const LowNormForwardArguments& arguments,
    std::int64_t begin,
    std::int64_t end,
    float* scratch) {
  const std::int64_t n = arguments.n;
  float* line = scratch;
  float* keep = scratch + round_up(n, kDropoutBlock);
  for (std::int64_t row = begin; row < end; ++row) {
    const float mean = low_branches<Format>(arguments, row, line, keep);
    const float inverse = inverse_deviation(line, n, mean, arguments.epsilon);
    arguments.inverse_deviation[row] = inverse;
    LowBits* x = arguments.x + row * n;
    float* y = arguments.y + row * n;
    LowBits* y_low = arguments.y_low + row * n;
    for_each_low_vector<Format>(n, [&](std::int64_t i, const auto& lines) {
      const Vec normalized = (lines.get(line + i) - mean) * inverse;
      const Vec value = normalized * lines.get(arguments.gamma + i) +
          lines.get(arguments.beta + i);
      lines.put(x + i, normalized);
      lines.put(y + i, value);
      lines.put(y_low + i, value);
    });
  }
}

/// Means over a row of g and of g · normalized, with g = dy · gamma.
struct LowRowMeans {
  float gradient;
  float projection;
};

/// line = dy + dy_low; adds the row to dgamma and dbeta.
template <typename Format>
inline LowRowMeans low_reduce_row(
    const LowNormBackwardArguments& arguments,
    std::int64_t row,
    const NormSums& sums,
    float* line) {
  const std::int64_t n = arguments.n;
  const float* dy = arguments.dy ? arguments.dy + row * n : nullptr;
  const LowBits* dy_low =
      arguments.dy_low ? arguments.dy_low + row * n : nullptr;
  const LowBits* normalized = arguments.normalized + row * n;
  Vec gradient_sum{};
  Vec projection_sum{};
  for_each_low_vector<Format>(n, [&](std::int64_t i, const auto& lines) {
    Vec upstream{};
    if (dy) {
      upstream += lines.get(dy + i);
    }
    if (dy_low) {
      upstream += lines.get(dy_low + i);
    }
    const Vec value = lines.get(normalized + i);
    const Vec gradient = upstream * lines.get(arguments.gamma + i);
    lines.put(sums.dgamma + i, lines.get(sums.dgamma + i) + upstream * value);
    lines.put(sums.dbeta + i, lines.get(sums.dbeta + i) + upstream);
    lines.put(line + i, gradient);
    gradient_sum += gradient;
    projection_sum += gradient * value;
  });
  const auto count = static_cast<float>(n);
  return {sum_lanes(gradient_sum) / count, sum_lanes(projection_sum) / count};
}

template <typename Format>
inline void low_norm_backward(
    const LowNormBackwardArguments& arguments,
    std::int64_t begin,
    std::int64_t end,
    const NormSums& sums,
    float* scratch) {
  const std::int64_t n = arguments.n;
  const bool drops = arguments.dropout.threshold != 0;
  float* line = scratch;
  float* keep = scratch + round_up(n, kDropoutBlock);
  for (std::int64_t row = begin; row < end; ++row) {
    const LowRowMeans means =
        low_reduce_row<Format>(arguments, row, sums, line);
    const float inverse = arguments.inverse_deviation[row];
    const LowBits* normalized = arguments.normalized + row * n;
    float* dresidual = arguments.dresidual + row * n;
    LowBits* dx = arguments.dx + row * n;
    if (drops) {
      dropout_row(arguments.dropout, row, n, keep);
    }
    for_each_low_vector<Format>(n, [&](std::int64_t i, const auto& lines) {
      const Vec centred = lines.get(line + i) - means.gradient;
      Vec dz =
          (centred - lines.get(normalized + i) * means.projection) * inverse;
      lines.put(dresidual + i, dz);
      if (drops) {
        dz *= lines.get(keep + i);
      }
      lines.put(dx + i, dz);
      lines.put(sums.dbias + i, lines.get(sums.dbias + i) + dz);
    });
  }
}

} // namespace
} // namespace accelerate::models::ACCELERATE_ISA
