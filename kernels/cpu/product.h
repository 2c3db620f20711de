// Small matrix products and transpositions in fp32 by one thread, as parts of larger operations.
#ifndef TT_KERNELS_CPU_PRODUCT_H
#define TT_KERNELS_CPU_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

enum {
    TT_LANE_GROUP = 16, // numbers of columns are multiples of it
    TT_BLOCK = 32       // columns of a transposed block; in attention, queries processed together
};

// C[rows, columns] = A B, or += if `add`. A's element (r, p) is at a[r * a_row + p * a_k]; B is [k, columns]
// and C row-major; columns is a multiple of TT_LANE_GROUP. k >= 1.
void tt_cpu_product(int rows, int columns, int k, const float *a, ptrdiff_t a_row, ptrdiff_t a_k,
    const float *b, ptrdiff_t ldb, float *c, ptrdiff_t ldc, bool add);
// Rows of a tile on this CPU: products of a multiple of them are fastest.
int tt_cpu_product_rows(void);

// to[c][i] = from[i][c] for i < rows <= TT_BLOCK, zero from there to `lanes`; `to` is [columns][TT_BLOCK].
void tt_cpu_transpose(float *to, const float *from, ptrdiff_t ld, int rows, int columns, int lanes);

#endif
