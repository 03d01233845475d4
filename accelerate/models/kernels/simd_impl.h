// accelerate/models/kernels/simd_impl.h: the loops behind the CPU kernels, as
// a table of functions compiled once per instruction set.
#pragma once

#include <cstdint>

namespace accelerate::models {

/// One dropout of one forward pass; see DropoutKey.
struct DropoutArguments {
  std::uint64_t seed = 0;
  std::uint32_t site = 0;
  std::uint32_t threshold = 0; ///< of 65536; 0: nothing is dropped
  float scale = 1; ///< of what is kept: 65536 / (65536 - threshold)
};

/// y = activation(x + bias) over rows of n, by the error function.
struct GeluArguments {
  const float* x; ///< (rows, n)
  const float* bias; ///< (n)
  const float* dy; ///< (rows, n), backward only
  float* out; ///< (rows, n): y, or dx in backward
  std::int64_t n;
};

/// y = LayerNorm(dropout(x + bias) + residual) over rows of n.
struct NormForwardArguments {
  float* x; ///< (rows, n); overwritten by the normalised values
  const float* bias; ///< (n), or nullptr
  const float* residual; ///< (rows, n), or nullptr
  const float* gamma; ///< (n)
  const float* beta; ///< (n)
  float* y; ///< (rows, n)
  float* inverse_deviation; ///< (rows)
  std::int64_t n;
  float epsilon;
  DropoutArguments dropout;
};

struct NormBackwardArguments {
  const float* dy; ///< (rows, n)
  const float* normalized; ///< (rows, n)
  const float* inverse_deviation; ///< (rows)
  const float* gamma; ///< (n)
  float* dresidual; ///< (rows, n)
  float* dx; ///< (rows, n); nullptr when nothing is dropped: as dresidual
  std::int64_t n;
  DropoutArguments dropout;
};

/// Sums over rows, added to by each thread into its own copy.
struct NormSums {
  float* dgamma; ///< (n)
  float* dbeta; ///< (n)
  float* dbias; ///< (n)
};

/// Attention of packed sequences. A unit is one head of one sequence; the
/// matrices of unit (s, h) are the columns [h · head_dim, (h+1) · head_dim) of
/// the rows of sequence s. Strides are in floats, between rows.
struct AttentionArguments {
  const float* q;
  const float* k;
  const float* v;
  std::int64_t query_stride, key_stride;
  const std::int64_t* starts; ///< (sequences + 1), rows of k and v
  bool first_query_only; ///< q, out, lse have one row per sequence
  std::int64_t heads, head_dim;
  float scale; ///< of q · k
  DropoutArguments dropout;
  float* out; ///< (queries, heads · head_dim), contiguous
  float* lse; ///< (queries, heads): log of the sum of exponentials
};

struct AttentionGradients {
  const float* dout; ///< (queries, heads · head_dim), contiguous
  float* dq; ///< rows as q
  float* dk; ///< rows as k
  float* dv; ///< rows as k
};

/// A 16-bit float as stored; which format is a matter of the function.
using LowBits = std::uint16_t;

/// GeluArguments with x, dy and out in a 16-bit format.
struct LowGeluArguments {
  const LowBits* x; ///< (rows, n)
  const float* bias; ///< (n)
  const LowBits* dy; ///< (rows, n), backward only
  LowBits* out; ///< (rows, n): y, or dx in backward
  std::int64_t n;
};

/// NormForwardArguments with a branch in a 16-bit format and a residual in
/// float; the result is written in both.
struct LowNormForwardArguments {
  LowBits* x; ///< (rows, n); overwritten by the normalised values
  const float* bias; ///< (n)
  const float* residual; ///< (rows, n)
  const float* gamma; ///< (n)
  const float* beta; ///< (n)
  float* y; ///< (rows, n)
  LowBits* y_low; ///< (rows, n), y rounded
  float* inverse_deviation; ///< (rows)
  std::int64_t n;
  float epsilon;
  DropoutArguments dropout;
};

struct LowNormBackwardArguments {
  const float* dy; ///< (rows, n), or nullptr
  const LowBits* dy_low; ///< (rows, n), or nullptr; added to dy
  const LowBits* normalized; ///< (rows, n)
  const float* inverse_deviation; ///< (rows)
  const float* gamma; ///< (n)
  float* dresidual; ///< (rows, n)
  LowBits* dx; ///< (rows, n)
  std::int64_t n;
  DropoutArguments dropout;
};

/// AttentionArguments with matrices in a 16-bit format: q, k, v and out of
/// `shape` are not used.
struct LowAttentionArguments {
  AttentionArguments shape;
  const LowBits* q;
  const LowBits* k;
  const LowBits* v;
  LowBits* out;
};

struct LowAttentionGradients {
  const LowBits* dout;
  LowBits* dq;
  LowBits* dk;
  LowBits* dv;
};

/// The loops over one 16-bit format. They compute in float and round once, when
/// they store: to nearest, ties to even, too large values to infinity.
struct LowKernels {
  void (*widen)(const LowBits* from, std::int64_t n, float* to);
  void (*narrow)(const float* from, std::int64_t n, LowBits* to);
  /// Adds the rows [begin, end) of x (rows, n) to sums.
  void (*column_sums)(
      const LowBits* x,
      std::int64_t n,
      std::int64_t begin,
      std::int64_t end,
      float* sums);
  void (*gelu_forward)(
      const LowGeluArguments& arguments,
      std::int64_t begin,
      std::int64_t end);
  void (*gelu_backward)(
      const LowGeluArguments& arguments,
      std::int64_t begin,
      std::int64_t end,
      float* dbias);
  /// `scratch` as low_norm_scratch_floats says.
  void (*norm_forward)(
      const LowNormForwardArguments& arguments,
      std::int64_t begin,
      std::int64_t end,
      float* scratch);
  void (*norm_backward)(
      const LowNormBackwardArguments& arguments,
      std::int64_t begin,
      std::int64_t end,
      const NormSums& sums,
      float* scratch);
  /// `scratch` as low_attention_scratch_floats says.
  void (*attention_forward)(
      const LowAttentionArguments& arguments,
      std::int64_t begin,
      std::int64_t end,
      float* scratch);
  void (*attention_backward)(
      const LowAttentionArguments& arguments,
      const LowAttentionGradients& gradients,
      std::int64_t begin,
      std::int64_t end,
      float* scratch);
};

/// The functions of one instruction set. Ranges are half-open.
struct SimdKernels {
  const char* name;
  /// Fills keep[0, n) with 0 or dropout.scale. `row` < 2^32. `keep` has room
  /// for n rounded up to kDropoutBlock.
  void (*dropout_row)(
      const DropoutArguments& dropout,
      std::int64_t row,
      std::int64_t n,
      float* keep);
  void (*gelu_forward)(
      const GeluArguments& arguments,
      std::int64_t begin,
      std::int64_t end);
  /// Adds the rows of dx to dbias.
  void (*gelu_backward)(
      const GeluArguments& arguments,
      std::int64_t begin,
      std::int64_t end,
      float* dbias);
  /// `keep` has room for n rounded up to kDropoutBlock.
  void (*norm_forward)(
      const NormForwardArguments& arguments,
      std::int64_t begin,
      std::int64_t end,
      float* keep);
  void (*norm_backward)(
      const NormBackwardArguments& arguments,
      std::int64_t begin,
      std::int64_t end,
      const NormSums& sums,
      float* keep);
  /// Units [begin, end); `scratch` as attention_scratch_floats says.
  void (*attention_forward)(
      const AttentionArguments& arguments,
      std::int64_t begin,
      std::int64_t end,
      float* scratch);
  void (*attention_backward)(
      const AttentionArguments& arguments,
      const AttentionGradients& gradients,
      std::int64_t begin,
      std::int64_t end,
      float* scratch);
  LowKernels bfloat16;
  LowKernels half;
};

/// Keep decisions of one call of the generator: 16 counters × 4 words × 2.
constexpr std::int64_t kDropoutBlock = 128;

/// Rows of key-indexed matrices are padded to this many floats, on every
/// instruction set, so that dropout masks do not depend on the processor.
constexpr std::int64_t kKeyBlock = 16;

// Internal linkage on purpose, see vector_impl.h.
static constexpr std::int64_t round_up(std::int64_t value, std::int64_t block) {
  return (value + block - 1) / block * block;
}

/// Floats that one thread needs for sequences up to `length`: a transposed
/// operand and three matrices of query × key.
static constexpr std::int64_t attention_scratch_floats(
    std::int64_t length,
    std::int64_t head_dim) {
  const std::int64_t keys = round_up(length, kKeyBlock);
  return keys * head_dim + 3 * round_up(length * keys, kDropoutBlock);
}

/// A line of floats and one of keep decisions.
static constexpr std::int64_t low_norm_scratch_floats(std::int64_t n) {
  return 2 * round_up(n, kDropoutBlock);
}

/// attention_scratch_floats, and seven matrices of a unit in float.
static constexpr std::int64_t low_attention_scratch_floats(
    std::int64_t length,
    std::int64_t head_dim) {
  return attention_scratch_floats(length, head_dim) + 7 * length * head_dim;
}

/// The best table for this processor; the same for the life of the process.
/// ACCELERATE_SIMD=baseline|avx2|avx512 asks for a lower one.
const SimdKernels& simd_kernels();

namespace baseline {
const SimdKernels& kernels();
}
namespace avx2 {
const SimdKernels& kernels();
}
namespace avx512 {
const SimdKernels& kernels();
}

} // namespace accelerate::models
