// oneDNN's sgemm copies B into panels before it multiplies, which takes longer than the products of a few rows of A. Here rows of
// B are read as they are, in fours that stay in the first-level cache while all rows of A meet them.
#include "kernels/cpu/dots.h"

#include "kernels/cpu/isa.h"

enum { DEPTH = 4096 }; // of k, in one sum

#define TT_PRAGMA(text) _Pragma(#text)
#define TT_EACH(i, n) TT_PRAGMA(GCC unroll 8) for (int i = 0; i < (n); ++i)

#define TT_ISA(name) name##_baseline
#define TT_LANES 4
#define TT_ROWS 2
#define TT_TARGET
#include "kernels/cpu/dots_tile.inc"
#undef TT_ISA
#undef TT_LANES
#undef TT_ROWS
#undef TT_TARGET

#if defined(__x86_64__)
#define TT_ISA(name) name##_avx2
#define TT_LANES 8
#define TT_ROWS 2
#define TT_TARGET TT_FOR_AVX2
#include "kernels/cpu/dots_tile.inc"
#undef TT_ISA
#undef TT_LANES
#undef TT_ROWS
#undef TT_TARGET

#define TT_ISA(name) name##_avx512
#define TT_LANES 16
#define TT_ROWS 4
#define TT_TARGET TT_FOR_AVX512
#include "kernels/cpu/dots_tile.inc"
#endif

void tt_cpu_dots(int m, int n, int k, float alpha, const float *a, ptrdiff_t lda, const float *b,
    ptrdiff_t ldb, float beta, float *c, ptrdiff_t ldc) {
#if defined(__x86_64__)
    switch (tt_cpu_level_of_process()) {
    case TT_AVX512:
        dots_avx512(m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        return;
    case TT_AVX2:
        dots_avx2(m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        return;
    case TT_BASELINE:
        break;
    }
#endif
    dots_baseline(m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
