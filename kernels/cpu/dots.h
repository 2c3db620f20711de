// C = alpha A B^T + beta C in fp32 for one thread, where A has few rows: the products of a step of decoding, whose B are weights
// that are read once.
#ifndef TT_KERNELS_CPU_DOTS_H
#define TT_KERNELS_CPU_DOTS_H

#include <stddef.h>

// A[m, k], B[n, k], C[m, n], all row-major; m, n, k >= 1. C is not read if beta is 0. An element's bits depend on its row of A, its
// row of B and k alone, not on m or n.
void tt_cpu_dots(int m, int n, int k, float alpha, const float *a, ptrdiff_t lda, const float *b,
    ptrdiff_t ldb, float beta, float *c, ptrdiff_t ldc);

#endif
