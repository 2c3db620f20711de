// With A and B both stored as [k, .], a product needs no transposition: row p of A and row p of B make a
// rank-one update. The cost is in the distance between rows, thousands of bytes and often a power of two,
// which evicts rows from the cache. So a part of k is first copied into panels: A's as wide as a tile has
// rows, B's as wide as it has columns. A panel of B then stays in the first-level cache while all panels of A
// are read from the second. (The scheme of Goto and van de Geijn, "Anatomy of high-performance matrix
// multiplication", 2008.) oneDNN's sgemm is only half as fast here.
#include "kernels/cpu/outer.h"

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/product.h"

enum {
    DEPTH = 256, // of k in a panel: 32 columns of B take 32 KiB
    WIDE = 32,   // columns of a panel of B
    AHEAD = 4    // rows to prefetch ahead of the copy
};

// Floats from panel to panel: one cache line more than its contents, since panels 8 KiB apart would all map
// to the same few cache sets.
static size_t panel_stride(int width) {
    return (size_t)DEPTH * width + 16;
}

static size_t panels(int columns, int width) {
    return (size_t)((columns + width - 1) / width);
}

size_t tt_cpu_outer_bytes(int m, int n) {
    const int rows = tt_cpu_product_rows();
    return (panels(m, rows) * panel_stride(rows) + panels(n, WIDE) * panel_stride(WIDE)) * sizeof(float);
}

// to[panel][p][width] = scale from[p][column], row by row; a last panel that is narrower is filled with
// zeros.
TT_INLINE void pack_width(
    const int width, float *to, const float *from, ptrdiff_t ld, int columns, int depth, float scale) {
    const size_t stride = panel_stride(width);
    const int whole = columns / width;
    for (int p = 0; p < depth; ++p) {
        const float *row = from + p * ld;
        float *place = to + (size_t)p * width;
        if (p + AHEAD < depth) // the hardware does not prefetch across rows
            for (int c = 0; c < columns; c += 16) __builtin_prefetch(row + AHEAD * ld + c);
        for (int panel = 0; panel < whole; ++panel, row += width, place += stride)
            for (int i = 0; i < width; ++i) place[i] = scale * row[i];
        for (int i = 0; i < width && whole * width < columns; ++i)
            place[i] = i < columns - whole * width ? scale * row[i] : 0;
    }
}

TT_MULTIVERSION(void, pack_panels,
    (float *to, int width, const float *from, ptrdiff_t ld, int columns, int depth, float scale),
    (to, width, from, ld, columns, depth, scale)) {
    switch (width) { // constant widths make straight-line copies
    case 4:
        pack_width(4, to, from, ld, columns, depth, scale);
        break;
    case 6:
        pack_width(6, to, from, ld, columns, depth, scale);
        break;
    case 8:
        pack_width(8, to, from, ld, columns, depth, scale);
        break;
    default:
        pack_width(WIDE, to, from, ld, columns, depth, scale);
    }
}

static void scale_rows(int m, int n, float *c, ptrdiff_t ldc, float beta) {
    for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j) c[i * ldc + j] *= beta;
}

void tt_cpu_outer(int m, int n, int k, float alpha, const float *a, ptrdiff_t lda, const float *b,
    ptrdiff_t ldb, float beta, float *c, ptrdiff_t ldc, void *memory) {
    const int rows = tt_cpu_product_rows();
    float *left = memory, *right = left + panels(m, rows) * panel_stride(rows);
    if (beta != 0 && beta != 1) scale_rows(m, n, c, ldc, beta);
    for (int from = 0; from < k; from += DEPTH) {
        const int depth = k - from < DEPTH ? k - from : DEPTH;
        pack_panels(left, rows, a + from * lda, lda, m, depth, alpha);
        pack_panels(right, WIDE, b + from * ldb, ldb, n, depth, 1);
        for (int j = 0; j < n; j += WIDE) {
            const int columns = n - j < WIDE ? n - j : WIDE;
            const float *panel = right + (size_t)(j / WIDE) * panel_stride(WIDE);
            for (int i = 0; i < m; i += rows)
                tt_cpu_product(m - i < rows ? m - i : rows, columns, depth,
                    left + (size_t)(i / rows) * panel_stride(rows), 1, rows, panel, WIDE, c + i * ldc + j,
                    ldc, from > 0 || beta != 0);
        }
    }
}
