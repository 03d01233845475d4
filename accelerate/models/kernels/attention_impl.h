// accelerate/models/kernels/attention_impl.h: attention of packed sequences,
// one head of one sequence at a time.
//
// Nouns: a unit is one head of one sequence, with Q queries and K keys of D
// floats. scores = scale · q kᵀ (Q, K); probabilities = softmax of a row;
// weights = probabilities · keep, keep being 0 or 1/(1-p) (dropout). Matrices
// of query × key have rows of `stride` floats, K rounded up, zero behind K.
// Forward keeps only the log-sum-exp of each row; backward computes the
// probabilities again from it (Dao et al., FlashAttention, arXiv:2205.14135).
#pragma once

#include "accelerate/models/kernels/philox_impl.h"
#include "accelerate/models/kernels/simd_impl.h"
#include "accelerate/models/kernels/vector_impl.h"

namespace accelerate::models::ACCELERATE_ISA {
namespace {

/// A matrix read one number at a time: element (i, j) is
/// data[i · row + j · column], so a transposed one is the same with the
/// strides exchanged.
struct Operand {
  const float* data;
  std::int64_t row;
  std::int64_t column;
};

/// Registers block kRows × (2 · kLanes) of the product: 12 sums, 2 vectors of
/// b and 1 of a fit the 16 registers of AVX2.
constexpr int kRows = 6;

/// c[0, Rows) × [0, Vectors · kLanes) = a · b, over `depth`.
template <int Rows, int Vectors>
inline void multiply_block(
    std::int64_t depth,
    const Operand& a,
    const float* b,
    std::int64_t b_stride,
    float* c,
    std::int64_t c_stride) {
  Vec sums[Rows][Vectors] = {};
  for (std::int64_t k = 0; k < depth; ++k) {
    Vec line[Vectors];
    for (int v = 0; v < Vectors; ++v) {
      line[v] = load(b + k * b_stride + v * kLanes);
    }
    for (int r = 0; r < Rows; ++r) {
      const float factor = a.data[r * a.row + k * a.column];
      for (int v = 0; v < Vectors; ++v) {
        sums[r][v] += factor * line[v];
      }
    }
  }
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < Vectors; ++v) {
      store(c + r * c_stride + v * kLanes, sums[r][v]);
    }
  }
}

template <int Vectors, int Rows = kRows>
inline void multiply_rows(
    std::int64_t rows,
    std::int64_t depth,
    Operand a,
    const float* b,
    std::int64_t b_stride,
    float* c,
    std::int64_t c_stride) {
  for (; rows >= Rows; rows -= Rows) {
    multiply_block<Rows, Vectors>(depth, a, b, b_stride, c, c_stride);
    a.data += Rows * a.row;
    c += Rows * c_stride;
  }
  if constexpr (Rows > 1) {
    multiply_rows<Vectors, Rows - 1>(rows, depth, a, b, b_stride, c, c_stride);
  }
}

/// c (rows, columns) = a (rows, depth) · b (depth, columns).
inline void multiply(
    std::int64_t rows,
    std::int64_t columns,
    std::int64_t depth,
    const Operand& a,
    const float* b,
    std::int64_t b_stride,
    float* c,
    std::int64_t c_stride) {
  std::int64_t j = 0;
  for (; j + 2 * kLanes <= columns; j += 2 * kLanes) {
    multiply_rows<2>(rows, depth, a, b + j, b_stride, c + j, c_stride);
  }
  for (; j + kLanes <= columns; j += kLanes) {
    multiply_rows<1>(rows, depth, a, b + j, b_stride, c + j, c_stride);
  }
  for (; j < columns; ++j) {
    for (std::int64_t i = 0; i < rows; ++i) {
      float sum = 0;
      for (std::int64_t k = 0; k < depth; ++k) {
        sum += a.data[i * a.row + k * a.column] * b[k * b_stride + j];
      }
      c[i * c_stride + j] = sum;
    }
  }
}

/// One unit: where its matrices begin and how large they are.
struct Unit {
  std::int64_t index; ///< row of the random numbers
  std::int64_t head;
  std::int64_t queries, keys, stride;
  std::int64_t first_query, first_key; ///< rows
  const float* q;
  const float* k;
  const float* v;
};

/// Everything but where the matrices are.
inline Unit unit_shape(
    const AttentionArguments& arguments,
    std::int64_t index) {
  const std::int64_t sequence = index / arguments.heads;
  const std::int64_t head = index % arguments.heads;
  const std::int64_t first_key = arguments.starts[sequence];
  const std::int64_t keys = arguments.starts[sequence + 1] - first_key;
  const bool first_only = arguments.first_query_only;
  return {
      index,
      head,
      first_only ? 1 : keys,
      keys,
      round_up(keys, kKeyBlock),
      first_only ? sequence : first_key,
      first_key,
      nullptr,
      nullptr,
      nullptr};
}

inline Unit unit_at(const AttentionArguments& arguments, std::int64_t index) {
  Unit unit = unit_shape(arguments, index);
  const std::int64_t column = unit.head * arguments.head_dim;
  const std::int64_t key_offset =
      unit.first_key * arguments.key_stride + column;
  unit.q = arguments.q + unit.first_query * arguments.query_stride + column;
  unit.k = arguments.k + key_offset;
  unit.v = arguments.v + key_offset;
  return unit;
}

/// to (head_dim, unit.stride) = fromᵀ, zero behind the last key.
inline void transpose_keys(
    const AttentionArguments& arguments,
    const Unit& unit,
    const float* from,
    float* to) {
  for (std::int64_t d = 0; d < arguments.head_dim; ++d) {
    float* line = to + d * unit.stride;
    for (std::int64_t j = 0; j < unit.keys; ++j) {
      line[j] = from[j * arguments.key_stride + d];
    }
    for (std::int64_t j = unit.keys; j < unit.stride; ++j) {
      line[j] = 0;
    }
  }
}

/// scores (queries, stride) = q kᵀ, without the scale.
inline void unit_scores(
    const AttentionArguments& arguments,
    const Unit& unit,
    float* transposed,
    float* scores) {
  transpose_keys(arguments, unit, unit.k, transposed);
  multiply(
      unit.queries,
      unit.stride,
      arguments.head_dim,
      {unit.q, arguments.query_stride, 1},
      transposed,
      unit.stride,
      scores,
      unit.stride);
}

/// row[0, stride) = e^(scale · row - shift), 0 behind the last key; returns
/// the sum.
inline float
exponentials(float* row, const Unit& unit, float scale, float shift) {
  Vec sum{};
  for (std::int64_t j = 0; j < unit.stride; j += kLanes) {
    const Vec value = exp(load(row + j) * scale - shift);
    store(row + j, value);
  }
  for (std::int64_t j = unit.keys; j < unit.stride; ++j) {
    row[j] = 0;
  }
  for (std::int64_t j = 0; j < unit.stride; j += kLanes) {
    sum += load(row + j);
  }
  return sum_lanes(sum);
}

/// Turns scores into probabilities and writes each row's log-sum-exp.
inline void softmax_rows(
    const AttentionArguments& arguments,
    const Unit& unit,
    float* scores) {
  for (std::int64_t i = 0; i < unit.queries; ++i) {
    float* row = scores + i * unit.stride;
    float highest = row[0];
    for (std::int64_t j = 1; j < unit.keys; ++j) {
      highest = row[j] > highest ? row[j] : highest;
    }
    const float shift = highest * arguments.scale;
    const float sum = exponentials(row, unit, arguments.scale, shift);
    const float inverse = 1.0f / sum;
    for (std::int64_t j = 0; j < unit.stride; j += kLanes) {
      store(row + j, load(row + j) * inverse);
    }
    arguments.lse[(unit.first_query + i) * arguments.heads + unit.head] =
        shift + __builtin_logf(sum);
  }
}

/// Fills keep (queries, stride) for the unit's dropout.
inline void
unit_keep(const AttentionArguments& arguments, const Unit& unit, float* keep) {
  dropout_row(arguments.dropout, unit.index, unit.queries * unit.stride, keep);
}

/// to = a · b element by element, over the unit's query × key matrix.
inline void
multiply_elements(const Unit& unit, const float* a, const float* b, float* to) {
  for (std::int64_t i = 0; i < unit.queries * unit.stride; i += kLanes) {
    store(to + i, load(a + i) * load(b + i));
  }
}

/// Where one matrix (rows, head_dim) of a unit stands.
struct Tile {
  float* data;
  std::int64_t stride; ///< floats between rows
};

inline void unit_forward(
    const AttentionArguments& arguments,
    const Unit& unit,
    const Tile& out,
    float* scratch) {
  float* transposed = scratch;
  float* scores = transposed + unit.stride * arguments.head_dim;
  float* keep = scores + unit.queries * unit.stride;
  unit_scores(arguments, unit, transposed, scores);
  softmax_rows(arguments, unit, scores);
  if (arguments.dropout.threshold != 0) {
    unit_keep(arguments, unit, keep);
    multiply_elements(unit, scores, keep, scores);
  }
  multiply(
      unit.queries,
      arguments.head_dim,
      unit.keys,
      {scores, unit.stride, 1},
      unit.v,
      arguments.key_stride,
      out.data,
      out.stride);
}

inline void attention_forward(
    const AttentionArguments& arguments,
    std::int64_t begin,
    std::int64_t end,
    float* scratch) {
  const std::int64_t width = arguments.heads * arguments.head_dim;
  for (std::int64_t index = begin; index < end; ++index) {
    const Unit unit = unit_at(arguments, index);
    float* out = arguments.out + unit.first_query * width +
        unit.head * arguments.head_dim;
    unit_forward(arguments, unit, {out, width}, scratch);
  }
}

/// scores → probabilities, from the log-sum-exp that forward kept.
inline void probabilities_again(
    const AttentionArguments& arguments,
    const Unit& unit,
    float* scores) {
  for (std::int64_t i = 0; i < unit.queries; ++i) {
    exponentials(
        scores + i * unit.stride,
        unit,
        arguments.scale,
        arguments.lse[(unit.first_query + i) * arguments.heads + unit.head]);
  }
}

/// dscores (overwrites dweights) = probabilities · (dweights · keep - Σ) ·
/// scale, with Σ the row's sum of weights · dweights.
inline void softmax_backward(
    const AttentionArguments& arguments,
    const Unit& unit,
    const float* probabilities,
    const float* keep, // nullptr: nothing dropped
    float* dweights) {
  for (std::int64_t i = 0; i < unit.queries; ++i) {
    const std::int64_t offset = i * unit.stride;
    Vec sums{};
    for (std::int64_t j = offset; j < offset + unit.stride; j += kLanes) {
      Vec gradient = load(dweights + j);
      if (keep) {
        gradient *= load(keep + j);
        store(dweights + j, gradient);
      }
      sums += gradient * load(probabilities + j);
    }
    const float sum = sum_lanes(sums);
    for (std::int64_t j = offset; j < offset + unit.stride; j += kLanes) {
      const Vec gradient = (load(dweights + j) - sum) * arguments.scale;
      store(dweights + j, load(probabilities + j) * gradient);
    }
  }
}

/// The matrices of a unit that backward reads and writes besides its own;
/// strides between rows as in the arguments.
struct UnitGradients {
  const float* dout;
  std::int64_t dout_stride;
  float* dq;
  float* dk;
  float* dv;
};

inline void unit_backward(
    const AttentionArguments& arguments,
    const UnitGradients& gradients,
    const Unit& unit,
    float* scratch) {
  const std::int64_t dim = arguments.head_dim;
  const std::int64_t area = unit.queries * unit.stride;
  const bool drops = arguments.dropout.threshold != 0;
  float* transposed = scratch;
  float* probabilities = transposed + unit.stride * dim;
  float* dweights = probabilities + area;
  float* keep = dweights + area;

  unit_scores(arguments, unit, transposed, probabilities);
  probabilities_again(arguments, unit, probabilities);
  // dweights = dout vᵀ
  transpose_keys(arguments, unit, unit.v, transposed);
  multiply(
      unit.queries,
      unit.stride,
      dim,
      {gradients.dout, gradients.dout_stride, 1},
      transposed,
      unit.stride,
      dweights,
      unit.stride);
  if (drops) {
    unit_keep(arguments, unit, keep);
  }
  softmax_backward(
      arguments, unit, probabilities, drops ? keep : nullptr, dweights);
  if (drops) {
    multiply_elements(unit, probabilities, keep, probabilities);
  }
  // dv = weightsᵀ dout; dk = dscoresᵀ q; dq = dscores k
  multiply(
      unit.keys,
      dim,
      unit.queries,
      {probabilities, 1, unit.stride},
      gradients.dout,
      gradients.dout_stride,
      gradients.dv,
      arguments.key_stride);
  multiply(
      unit.keys,
      dim,
      unit.queries,
      {dweights, 1, unit.stride},
      unit.q,
      arguments.query_stride,
      gradients.dk,
      arguments.key_stride);
  multiply(
      unit.queries,
      dim,
      unit.keys,
      {dweights, unit.stride, 1},
      unit.k,
      arguments.key_stride,
      gradients.dq,
      arguments.query_stride);
}

inline void attention_backward(
    const AttentionArguments& arguments,
    const AttentionGradients& gradients,
    std::int64_t begin,
    std::int64_t end,
    float* scratch) {
  const std::int64_t width = arguments.heads * arguments.head_dim;
  for (std::int64_t index = begin; index < end; ++index) {
    const Unit unit = unit_at(arguments, index);
    const std::int64_t column = unit.head * arguments.head_dim;
    const std::int64_t key_offset =
        unit.first_key * arguments.key_stride + column;
    unit_backward(
        arguments,
        {gradients.dout + unit.first_query * width + column,
         width,
         gradients.dq + unit.first_query * arguments.query_stride + column,
         gradients.dk + key_offset,
         gradients.dv + key_offset},
        unit,
        scratch);
  }
}

} // namespace
} // namespace accelerate::models::ACCELERATE_ISA
