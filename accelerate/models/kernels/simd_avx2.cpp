// accelerate/models/kernels/simd_avx2.cpp: the loops for AVX2 and FMA.
#define ACCELERATE_ISA avx2
#include "accelerate/models/kernels/table_impl.h"
