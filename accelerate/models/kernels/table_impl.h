// accelerate/models/kernels/table_impl.h: the table of one instruction set;
// included once by each simd_<set>.cpp, which defines ACCELERATE_ISA.
#pragma once

#include "accelerate/models/kernels/attention_impl.h"
#include "accelerate/models/kernels/gelu_impl.h"
#include "accelerate/models/kernels/low_attention_impl.h"
#include "accelerate/models/kernels/low_gelu_impl.h"
#include "accelerate/models/kernels/low_norm_impl.h"
#include "accelerate/models/kernels/norm_impl.h"
#include "accelerate/models/kernels/philox_impl.h"
#include "accelerate/models/kernels/simd_impl.h"

#define ACCELERATE_QUOTE(text) #text
#define ACCELERATE_NAME(macro) ACCELERATE_QUOTE(macro)

namespace accelerate::models::ACCELERATE_ISA {

namespace {

template <typename Format>
constexpr LowKernels low_kernels() {
  return {
      widen<Format>,
      narrow<Format>,
      column_sums<Format>,
      low_gelu_forward<Format>,
      low_gelu_backward<Format>,
      low_norm_forward<Format>,
      low_norm_backward<Format>,
      low_attention_forward<Format>,
      low_attention_backward<Format>};
}

} // namespace

const SimdKernels& kernels() {
  static constexpr SimdKernels table{
      ACCELERATE_NAME(ACCELERATE_ISA),
      dropout_row,
      gelu_forward,
      gelu_backward,
      norm_forward,
      norm_backward,
      attention_forward,
      attention_backward,
      low_kernels<Bfloat16Format>(),
      low_kernels<HalfFormat>()};
  return table;
}

} // namespace accelerate::models::ACCELERATE_ISA
