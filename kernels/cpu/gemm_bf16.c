// Tasks of products in bf16. A task multiplies its tile by matmul primitives of fixed sizes, one stretch of k after the
// other, into an fp32 tile that stays in cache, then writes alpha tile + beta C. Rows and k are padded with zeros, so that
// batches of ever new sizes meet few shapes and the primitives are found in the cache: only what lies at such an edge is
// copied for that.
//
// A step of decoding has few rows, so that its time is that of reading the weights. oneDNN's fastest kernels want inputs without
// gaps between their rows, so k is not divided there. A result in fp32 that needs neither scaling nor adding, as logits are, is
// multiplied straight into C. What is a step goes by the shape: small batches of training are some, too.
#include "kernels/cpu/gemm.h"

#include <limits.h>
#include <omp.h>
#include <string.h>

enum {
    TILE_M = 256, // 256 x 512 sums in fp32 and both inputs fit the second-level cache
    TILE_N = 512,
    TILE_MIN = 128, // smaller tiles repack their inputs too often
    DEPTH = TT_GEMM_K_PART,
    STEP_ROWS = TILE_M, // of A, at most, in a step of decoding
    STEP_PAD = 32,      // fewer rows than TT_GEMM_PAD are given to the few that there are
    STEP_COLUMNS = 64,  // of a tile, at least
    STEP_TASKS = 16     // aim for as many, as gemm_tiling.c does
};

// The tiles that begin at row i and k `from` are read from the edge.
static bool in_edge(const tt_gemm_input *x, int i, int from) {
    return i >= x->edge_row && from >= x->edge_k;
}

static int edge_ld(const tt_gemm_input *x) {
    return x->by_k ? x->edge_rows : x->edge_depth;
}

// The threads share the lines.
static void copy_edge(uint16_t *to, const tt_gemm_input *x, int k) {
    const int rows = x->rows - x->edge_row, depth = k - x->edge_k;
    const int lines = x->by_k ? depth : rows, n = x->by_k ? rows : depth, ld = edge_ld(x);
    const int padded = x->by_k ? x->edge_depth : x->edge_rows;
    const uint16_t *from =
        x->x + (x->by_k ? (size_t)x->edge_k * x->ld + x->edge_row : (size_t)x->edge_row * x->ld + x->edge_k);
#pragma omp for schedule(static)
    for (int i = 0; i < padded; ++i) {
        uint16_t *line = to + (size_t)i * ld;
        const int filled = i < lines ? n : 0;
        memcpy(line, from + (size_t)(i < lines ? i : 0) * x->ld, (size_t)filled * sizeof *line);
        memset(line + filled, 0, (size_t)(ld - filled) * sizeof *line);
    }
}

static void copy_edges(const tt_gemm_job *job) {
    const tt_gemm_bf16 *shapes = &job->bf16;
    if (job->needs.a16) copy_edge(job->state->a16.data, &shapes->a, job->p->k);
    if (job->needs.b16) copy_edge(job->state->b16.data, &shapes->b, job->p->k);
}

static int ld_at(const tt_gemm_input *x, int i, int from) {
    return in_edge(x, i, from) ? edge_ld(x) : x->ld;
}

static const uint16_t *element_at(const tt_gemm_input *x, const uint16_t *edge, int i, int from) {
    const uint16_t *base = x->x;
    const size_t ld = (size_t)ld_at(x, i, from);
    if (in_edge(x, i, from)) {
        base = edge;
        i -= x->edge_row, from -= x->edge_k;
    }
    return base + (x->by_k ? (size_t)from * ld + (size_t)i : (size_t)i * ld + (size_t)from);
}

static dnnl_status_t multiply_tile(const tt_gemm_job *job, const tt_gemm_task *t, void *c) {
    const tt_gemm_bf16 *shapes = &job->bf16;
    const tt_gemm_state *state = job->state;
    const int thread = omp_get_thread_num();
    char *scratch =
        state->scratch_bytes ? (char *)state->scratch.data + (size_t)thread * state->scratch_bytes : NULL;
    const int end = tt_gemm_min(t->from + job->tiling.part_k, shapes->padded_k);
    for (int from = t->from; from < end; from += shapes->depth) {
        const int last = shapes->padded_k - from <= shapes->depth, accumulate = from != t->from;
        const tt_matmul *matmul =
            shapes->matmuls[t->tile_row == job->tiling.tiles_m - 1][t->tile_column == job->tiling.tiles_n - 1]
                           [last][accumulate];
        void *const data[TT_MATMUL_MEMORIES] = {
            [TT_MATMUL_A] = (uint16_t *)element_at(&shapes->a, state->a16.data, t->i, from),
            [TT_MATMUL_B] = (uint16_t *)element_at(&shapes->b, state->b16.data, t->j, from),
            [TT_MATMUL_C] = c,
            [TT_MATMUL_SCRATCH] = scratch};
        const dnnl_status_t status =
            tt_matmul_run(matmul, tt_matmul_cache_stream(state->matmuls, thread), thread, data);
        if (status != dnnl_success) return status;
    }
    return dnnl_success;
}

static dnnl_status_t task_bf16(const tt_gemm_job *job, const tt_gemm_task *t) {
    if (job->bf16.into_c) return multiply_tile(job, t, t->c);
    float *sums = (float *)job->state->tiles.data + (size_t)omp_get_thread_num() * TILE_M * TILE_N;
    const dnnl_status_t status = multiply_tile(job, t, sums);
    if (status != dnnl_success) return status;
    const bool narrow = job->narrow && job->tiling.parts_k == 1;
    for (int row = 0; row < t->m; ++row) {
        const size_t at = (size_t)row * t->ldc;
        const float *from = sums + (size_t)row * t->n;
        if (narrow)
            tt_gemm_write_narrow(t->n, (uint16_t *)t->c + at, from, t->alpha, t->beta, job->p->relu);
        else
            tt_gemm_write_row(t->n, (float *)t->c + at, from, t->alpha, t->beta);
    }
    return dnnl_success;
}

// The primitives that the tasks will ask for.
tt_status tt_gemm_find_matmuls(tt_gemm_job *job) {
    const tt_gemm *p = job->p;
    tt_gemm_state *state = job->state;
    if (!state->matmuls) TT_TRY(tt_matmul_cache_open(&state->matmuls, state->threads));
    tt_matmul_cache_trim(state->matmuls);
    const tt_gemm_tiling *tiling = &job->tiling;
    tt_gemm_bf16 *shapes = &job->bf16;
    const int last_m = shapes->padded_m - (tiling->tiles_m - 1) * tiling->tile_m,
              last_n = p->n - (tiling->tiles_n - 1) * tiling->tile_n;
    for (int mi = 0; mi < 2; ++mi)
        for (int ni = 0; ni < 2; ++ni)
            for (int from = 0; from < shapes->padded_k; from += shapes->depth) {
                if ((mi == 0 && tiling->tiles_m == 1) || (ni == 0 && tiling->tiles_n == 1)) break;
                const int last = shapes->padded_k - from <= shapes->depth,
                          accumulate = from % tiling->part_k != 0, n = ni ? last_n : tiling->tile_n;
                const tt_matmul **place = &shapes->matmuls[mi][ni][last][accumulate];
                if (*place) continue;
                const tt_matmul_shape shape = {.m = mi ? last_m : tiling->tile_m,
                    .n = n,
                    .k = last ? shapes->padded_k - from : shapes->depth,
                    .lda = ld_at(&shapes->a, mi ? (tiling->tiles_m - 1) * tiling->tile_m : 0, from),
                    .ldb = ld_at(&shapes->b, ni ? (tiling->tiles_n - 1) * tiling->tile_n : 0, from),
                    .ldc = shapes->into_c ? p->ldc : n,
                    .trans_a = p->trans_a,
                    .trans_b = p->trans_b,
                    .accumulate = accumulate};
                TT_TRY(tt_matmul_cache_get(place, state->matmuls, &shape));
                if ((*place)->scratch_bytes > job->needs.scratch)
                    job->needs.scratch = (*place)->scratch_bytes;
            }
    return TT_OK;
}

// Where the edge of an input begins, and its sizes; returns its bytes.
static size_t plan_edge(tt_gemm_input *x, int last_tile, int padded_rows, int k, const tt_gemm_bf16 *shapes) {
    const int padded_k = shapes->padded_k;
    const bool rows = padded_rows != x->rows, depth = padded_k != k;
    x->edge_row = x->edge_k = INT_MAX;
    if (!rows && !depth) return 0;
    x->edge_row = rows && !depth ? last_tile : 0;
    x->edge_k = depth && !rows ? (padded_k - 1) / shapes->depth * shapes->depth : 0;
    x->edge_rows = padded_rows - x->edge_row;
    x->edge_depth = padded_k - x->edge_k;
    return (size_t)x->edge_rows * (size_t)x->edge_depth * sizeof(uint16_t);
}

// One row of tiles, so that each weight is read once.
static tt_gemm_tiling cut_step(int m, int n, int k) {
    tt_gemm_tiling t = {.tile_m = m, .part_k = k, .tiles_m = 1, .parts_k = 1};
    t.tile_n = tt_gemm_round_up(tt_gemm_ceil_div(n, STEP_TASKS), STEP_COLUMNS);
    t.tile_n = tt_gemm_min(tt_gemm_min(t.tile_n, TILE_N), n);
    t.tiles_n = tt_gemm_ceil_div(n, t.tile_n);
    return t;
}

void tt_gemm_plan_bf16(tt_gemm_job *job) {
    const tt_gemm *p = job->p;
    tt_gemm_bf16 *shapes = &job->bf16;
    // With a ragged k all of B would be copied.
    const bool step = !p->trans_a && p->trans_b && p->m <= STEP_ROWS && p->k % TT_GEMM_PAD == 0;
    // With a transposed A, rows are a size of the model, of which there are few.
    shapes->padded_m = p->trans_a ? p->m : tt_gemm_round_up(p->m, step ? STEP_PAD : TT_GEMM_PAD);
    shapes->padded_k = tt_gemm_round_up(p->k, TT_GEMM_PAD);
    shapes->depth = step ? shapes->padded_k : DEPTH;
    job->tiling = step ? cut_step(p->m, p->n, p->k)
                       : tt_gemm_cut(p->m, p->n, p->k,
                             (tt_gemm_limits){.tile_m = TILE_M, .tile_n = TILE_N, .tile_min = TILE_MIN});
    // Rows that A is given would be written behind C.
    shapes->into_c = step && !job->narrow && p->alpha == 1 && p->beta == 0 && shapes->padded_m == p->m;
    shapes->a = (tt_gemm_input){.by_k = p->trans_a, .x = p->a, .rows = p->m, .ld = p->lda};
    shapes->b = (tt_gemm_input){.by_k = !p->trans_b, .x = p->b, .rows = p->n, .ld = p->ldb};
    job->needs.a16 =
        plan_edge(&shapes->a, (job->tiling.tiles_m - 1) * job->tiling.tile_m, shapes->padded_m, p->k, shapes);
    job->needs.b16 = plan_edge(&shapes->b, 0, p->n, p->k, shapes);
    job->needs.tiles = (size_t)job->state->threads * TILE_M * TILE_N * sizeof(float);
    if (job->needs.a16 || job->needs.b16) job->load_inputs = copy_edges;
    job->do_task = task_bf16;
}
