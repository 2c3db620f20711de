// How C and k are cut. The cut depends on the shape alone, not on the number of threads: so do the sums.
#include "kernels/cpu/gemm.h"

enum { TASKS = 16 };                  // aim for as many, to keep many cores busy
static const double least_work = 8e6; // operations of a task; below that it costs more to start than it helps

static int count_tiles(const tt_gemm_tiling *t) {
    return t->tiles_m * t->tiles_n;
}

tt_gemm_tiling tt_gemm_cut(int m, int n, int k, tt_gemm_limits limits) {
    tt_gemm_tiling t = {.tile_m = tt_gemm_min(m, limits.tile_m),
        .tile_n = tt_gemm_min(n, limits.tile_n),
        .part_k = k,
        .parts_k = 1};
    for (;;) {
        t.tiles_m = tt_gemm_ceil_div(m, t.tile_m), t.tiles_n = tt_gemm_ceil_div(n, t.tile_n);
        if (count_tiles(&t) >= TASKS || 2.0 * t.tile_m * t.tile_n * k < 2 * least_work) break;
        int *larger = t.tile_m >= t.tile_n ? &t.tile_m : &t.tile_n;
        if (*larger < 2 * limits.tile_min) break;
        *larger = tt_gemm_round_up(tt_gemm_ceil_div(*larger, 2), TT_GEMM_PAD);
    }
    // Tiles of about equal size.
    t.tile_m = tt_gemm_min(tt_gemm_round_up(tt_gemm_ceil_div(m, t.tiles_m), TT_GEMM_PAD), m);
    t.tile_n = tt_gemm_min(tt_gemm_round_up(tt_gemm_ceil_div(n, t.tiles_n), TT_GEMM_PAD), n);
    t.tiles_m = tt_gemm_ceil_div(m, t.tile_m), t.tiles_n = tt_gemm_ceil_div(n, t.tile_n);
    // A small C with a long k is cut along k too.
    if (count_tiles(&t) < TASKS && k >= 2 * TT_GEMM_K_PART) {
        t.parts_k = tt_gemm_min(tt_gemm_ceil_div(TASKS, count_tiles(&t)), k / TT_GEMM_K_PART);
        t.part_k = tt_gemm_round_up(tt_gemm_ceil_div(k, t.parts_k), TT_GEMM_K_PART);
        t.parts_k = tt_gemm_ceil_div(k, t.part_k);
    }
    return t;
}
