// Small matrix products: A of any strides, B and C row-major with columns in multiples of 16.
// A call of oneDNN costs more than such a product. Each tile of C stays in registers while the rows of B are
// read one after the other; elements of A are broadcast, so that A may be transposed at no cost.
#include "kernels/cpu/product.h"

#include "kernels/cpu/isa.h"

#include <stdint.h>

enum { TT_ROWS_BASELINE = 4, TT_ROWS_AVX2 = 6, TT_ROWS_AVX512 = 8 };

#define TT_TILE_FILE "kernels/cpu/product_tile.inc"
#include "kernels/cpu/each_isa.inc"

int tt_cpu_product_rows(void) {
    static const int rows[] = {
        [TT_BASELINE] = TT_ROWS_BASELINE, [TT_AVX2] = TT_ROWS_AVX2, [TT_AVX512] = TT_ROWS_AVX512};
    return rows[tt_cpu_level_of_process()];
}

void tt_cpu_product(int rows, int columns, int k, const float *a, ptrdiff_t a_row, ptrdiff_t a_k,
    const float *b, ptrdiff_t ldb, float *c, ptrdiff_t ldc, bool add) {
    TT_DISPATCH(product, (rows, columns, k, a, a_row, a_k, b, ldb, c, ldc, add));
}

// Every supported machine has vectors of four.
typedef float vector4 __attribute__((vector_size(16), aligned(4), may_alias));
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t index4 __attribute__((vector_size(16)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (index4){__VA_ARGS__})
#endif

static void transpose_4x4(float *to, const float *from, ptrdiff_t ld) {
    vector4 a = *(const vector4 *)from, b = *(const vector4 *)(from + ld);
    vector4 c = *(const vector4 *)(from + 2 * ld), d = *(const vector4 *)(from + 3 * ld);
    vector4 ab = SHUFFLE(a, b, 0, 4, 1, 5), cd = SHUFFLE(c, d, 0, 4, 1, 5);
    *(vector4 *)to = SHUFFLE(ab, cd, 0, 1, 4, 5);
    *(vector4 *)(to + TT_BLOCK) = SHUFFLE(ab, cd, 2, 3, 6, 7);
    ab = SHUFFLE(a, b, 2, 6, 3, 7), cd = SHUFFLE(c, d, 2, 6, 3, 7);
    *(vector4 *)(to + 2 * TT_BLOCK) = SHUFFLE(ab, cd, 0, 1, 4, 5);
    *(vector4 *)(to + 3 * TT_BLOCK) = SHUFFLE(ab, cd, 2, 3, 6, 7);
}

void tt_cpu_transpose(float *to, const float *from, ptrdiff_t ld, int rows, int columns, int lanes) {
    int c = 0;
    for (; c + 4 <= columns; c += 4)
        for (int i = 0; i + 4 <= rows; i += 4) transpose_4x4(to + c * TT_BLOCK + i, from + i * ld + c, ld);
    for (int k = 0; k < columns; ++k) {
        int i = k < c ? rows / 4 * 4 : 0;
        for (; i < rows; ++i) to[k * TT_BLOCK + i] = from[i * ld + k];
        for (; i < lanes; ++i) to[k * TT_BLOCK + i] = 0;
    }
}
