// accelerate/models/kernels/simd_baseline.cpp: the loops for any x86-64, and
// other processors.
#define ACCELERATE_ISA baseline
#include "accelerate/models/kernels/table_impl.h"
