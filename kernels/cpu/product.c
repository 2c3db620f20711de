// Small matrix products of attention: A of any strides, B and C row-major with columns in multiples of 16.
// oneDNN's start-up per call costs more than such a product takes. Each tile of C stays in registers while
// one row of B after the other is read; an element of A is broadcast, so that A may be transposed for free.
#include "kernels/cpu/attention.h"

#define TT_PRAGMA(text) _Pragma(#text)
#define TT_EACH(i, n) TT_PRAGMA(GCC unroll 8) for (int i = 0; i < (n); ++i)

#define TT_ISA(name) name##_baseline
#define TT_LANES 4
#define TT_ROWS 4
#define TT_TARGET
#include "kernels/cpu/product_tile.inc"
#undef TT_ISA
#undef TT_LANES
#undef TT_ROWS
#undef TT_TARGET

#if defined(__x86_64__)
#define TT_ISA(name) name##_avx2
#define TT_LANES 8
#define TT_ROWS 6
#define TT_TARGET __attribute__((target("avx2,fma")))
#include "kernels/cpu/product_tile.inc"
#undef TT_ISA
#undef TT_LANES
#undef TT_ROWS
#undef TT_TARGET

#define TT_ISA(name) name##_avx512
#define TT_LANES 16
#define TT_ROWS 8
#define TT_TARGET __attribute__((target("avx512f")))
#include "kernels/cpu/product_tile.inc"
#endif

typedef enum level { BASELINE, AVX2, AVX512 } level;

static level level_of_cpu(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return AVX2;
#endif
    return BASELINE;
}

int tt_cpu_product_rows(void) {
    static const int rows[] = {[BASELINE] = 4, [AVX2] = 6, [AVX512] = 8};
    return rows[level_of_cpu()];
}

void tt_cpu_product(int rows, int columns, int k, const float *a, ptrdiff_t a_row, ptrdiff_t a_k,
    const float *b, ptrdiff_t ldb, float *c, ptrdiff_t ldc, bool add) {
    switch (level_of_cpu()) {
#if defined(__x86_64__)
    case AVX512:
        product_avx512(rows, columns, k, a, a_row, a_k, b, ldb, c, ldc, add);
        break;
    case AVX2:
        product_avx2(rows, columns, k, a, a_row, a_k, b, ldb, c, ldc, add);
        break;
#endif
    default:
        product_baseline(rows, columns, k, a, a_row, a_k, b, ldb, c, ldc, add);
    }
}
