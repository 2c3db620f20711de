// C = alpha A^T B + beta C in fp32 for one thread: the product for weight gradients.
#ifndef TT_KERNELS_CPU_OUTER_H
#define TT_KERNELS_CPU_OUTER_H

#include <stddef.h>

// Bytes of working memory for products of up to m rows and n columns.
size_t tt_cpu_outer_bytes(int m, int n);

// A[k, m], B[k, n], C[m, n], all row-major; n is a multiple of 16. C is not read if beta is 0.
void tt_cpu_outer(int m, int n, int k, float alpha, const float *a, ptrdiff_t lda, const float *b,
    ptrdiff_t ldb, float beta, float *c, ptrdiff_t ldc, void *memory);

#endif
