// oneDNN's sgemm copies B into panels before it multiplies, which takes longer than the products of a few rows of A. Here rows of
// B are read as they are, in fours that stay in the first-level cache while all rows of A meet them.
#include "kernels/cpu/dots.h"

#include "kernels/cpu/isa.h"

enum { DEPTH = 4096 }; // of k, in one sum

enum { TT_ROWS_BASELINE = 2, TT_ROWS_AVX2 = 2, TT_ROWS_AVX512 = 4 };

#define TT_TILE_FILE "kernels/cpu/dots_tile.inc"
#include "kernels/cpu/each_isa.inc"

void tt_cpu_dots(int m, int n, int k, float alpha, const float *a, ptrdiff_t lda, const float *b,
    ptrdiff_t ldb, float beta, float *c, ptrdiff_t ldc) {
    TT_DISPATCH(dots, (m, n, k, alpha, a, lda, b, ldb, beta, c, ldc));
}
