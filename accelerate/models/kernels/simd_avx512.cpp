// accelerate/models/kernels/simd_avx512.cpp: the loops for AVX-512 F, BW, CD,
// DQ and VL.
#define ACCELERATE_ISA avx512
#include "accelerate/models/kernels/table_impl.h"
