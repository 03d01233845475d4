// accelerate/models/kernels/low_attention_impl.h: attention of 16-bit floats:
// the matrices of a unit are widened, and the loops for floats run on them.
#pragma once

#include "accelerate/models/kernels/attention_impl.h"
#include "accelerate/models/kernels/low_format_impl.h"

namespace accelerate::models::ACCELERATE_ISA {
namespace {

/// to (rows, dim), contiguous, = rows of `from`.
template <typename Format>
inline void widen_tile(
    const LowBits* from,
    std::int64_t stride,
    std::int64_t rows,
    std::int64_t dim,
    float* to) {
  for (std::int64_t row = 0; row < rows; ++row) {
    widen<Format>(from + row * stride, dim, to + row * dim);
  }
}

template <typename Format>
inline void narrow_tile(
    const float* from,
    std::int64_t stride,
    std::int64_t rows,
    std::int64_t dim,
    LowBits* to) {
  for (std::int64_t row = 0; row < rows; ++row) {
    narrow<Format>(from + row * dim, dim, to + row * stride);
  }
}

/// A unit whose matrices stand in scratch memory, contiguous, with what is
/// needed to find them in the tensors.
struct LowUnit {
  AttentionArguments local; ///< strides of the scratch memory
  Unit unit;
  std::int64_t query_offset, key_offset, out_offset; ///< in the tensors
  float* rest; ///< scratch memory behind q, k and v
};

template <typename Format>
inline LowUnit widen_unit(
    const LowAttentionArguments& arguments,
    std::int64_t index,
    float* scratch) {
  const AttentionArguments& shape = arguments.shape;
  const std::int64_t dim = shape.head_dim;
  LowUnit result{shape, unit_shape(shape, index), 0, 0, 0, nullptr};
  result.local.query_stride = dim;
  result.local.key_stride = dim;
  Unit& unit = result.unit;
  const std::int64_t column = unit.head * dim;
  result.query_offset = unit.first_query * shape.query_stride + column;
  result.key_offset = unit.first_key * shape.key_stride + column;
  result.out_offset = unit.first_query * shape.heads * dim + column;
  float* q = scratch;
  float* k = q + unit.queries * dim;
  float* v = k + unit.keys * dim;
  result.rest = v + unit.keys * dim;
  widen_tile<Format>(
      arguments.q + result.query_offset,
      shape.query_stride,
      unit.queries,
      dim,
      q);
  widen_tile<Format>(
      arguments.k + result.key_offset, shape.key_stride, unit.keys, dim, k);
  widen_tile<Format>(
      arguments.v + result.key_offset, shape.key_stride, unit.keys, dim, v);
  unit.q = q;
  unit.k = k;
  unit.v = v;
  return result;
}

template <typename Format>
inline void low_attention_forward(
    const LowAttentionArguments& arguments,
    std::int64_t begin,
    std::int64_t end,
    float* scratch) {
  const std::int64_t dim = arguments.shape.head_dim;
  for (std::int64_t index = begin; index < end; ++index) {
    const LowUnit low = widen_unit<Format>(arguments, index, scratch);
    const std::int64_t queries = low.unit.queries;
    float* out = low.rest;
    unit_forward(low.local, low.unit, {out, dim}, out + queries * dim);
    narrow_tile<Format>(
        out,
        arguments.shape.heads * dim,
        queries,
        dim,
        arguments.out + low.out_offset);
  }
}

template <typename Format>
inline void low_attention_backward(
    const LowAttentionArguments& arguments,
    const LowAttentionGradients& gradients,
    std::int64_t begin,
    std::int64_t end,
    float* scratch) {
  const AttentionArguments& shape = arguments.shape;
  const std::int64_t dim = shape.head_dim;
  for (std::int64_t index = begin; index < end; ++index) {
    const LowUnit low = widen_unit<Format>(arguments, index, scratch);
    const std::int64_t queries = low.unit.queries;
    const std::int64_t keys = low.unit.keys;
    float* dout = low.rest;
    float* dq = dout + queries * dim;
    float* dk = dq + queries * dim;
    float* dv = dk + keys * dim;
    widen_tile<Format>(
        gradients.dout + low.out_offset, shape.heads * dim, queries, dim, dout);
    unit_backward(
        low.local, {dout, dim, dq, dk, dv}, low.unit, dv + keys * dim);
    narrow_tile<Format>(
        dq, shape.query_stride, queries, dim, gradients.dq + low.query_offset);
    narrow_tile<Format>(
        dk, shape.key_stride, keys, dim, gradients.dk + low.key_offset);
    narrow_tile<Format>(
        dv, shape.key_stride, keys, dim, gradients.dv + low.key_offset);
  }
}

} // namespace
} // namespace accelerate::models::ACCELERATE_ISA
