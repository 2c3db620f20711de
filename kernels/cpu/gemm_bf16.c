// Tasks of products in bf16. Both inputs are rounded into buffers once; a task multiplies its tile by matmul
// primitives of fixed sizes, one stretch of k after the other, into an fp32 tile that stays in cache, then
// writes alpha tile + beta C. Rows and k are padded with zeros, so that batches of ever new sizes meet few
// shapes and the primitives are found in the cache.
#include "kernels/bf16.h"
#include "kernels/cpu/gemm.h"

#include <omp.h>
#include <string.h>

enum {
    TILE_M = 256, // 256 x 512 sums in fp32 and both inputs fit the second-level cache
    TILE_N = 512,
    TILE_MIN = 128, // smaller tiles repack their inputs too often
    DEPTH = TT_GEMM_K_PART
};

// Half of the padding serves the few rows of a decoding step.
static int pad_rows(int m) {
    return m <= TT_GEMM_PAD / 2 ? TT_GEMM_PAD / 2 : tt_gemm_round_up(m, TT_GEMM_PAD);
}

typedef struct matrix {
    const float *x;
    int rows, columns, ld;
} matrix;

// Rounds x[rows, columns] into out[padded rows, ld] with zeros around it. The threads share the rows.
static void round_input(uint16_t *out, int padded_rows, int ld, const matrix *from) {
#pragma omp for schedule(static)
    for (int i = 0; i < padded_rows; ++i) {
        uint16_t *to = out + (size_t)i * ld;
        const int filled = i < from->rows ? from->columns : 0;
        tt_bf16_from_float(filled, to, from->x + (size_t)(i < from->rows ? i : 0) * from->ld);
        memset(to + filled, 0, (size_t)(ld - filled) * sizeof *to);
    }
}

static void round_inputs(const tt_gemm_job *job) {
    const tt_gemm *p = job->p;
    const tt_gemm_bf16 *shapes = &job->bf16;
    const matrix a = {.x = tt_in(p->a),
        .rows = p->trans_a ? p->k : p->m,
        .columns = p->trans_a ? p->m : p->k,
        .ld = p->lda};
    const matrix b = {.x = tt_in(p->b),
        .rows = p->trans_b ? p->n : p->k,
        .columns = p->trans_b ? p->k : p->n,
        .ld = p->ldb};
    round_input(job->state->a16.data, p->trans_a ? shapes->padded_k : shapes->padded_m, shapes->lda, &a);
    round_input(job->state->b16.data, p->trans_b ? p->n : shapes->padded_k, shapes->ldb, &b);
}

// Multiplies one tile into this thread's part of state->tiles.
static dnnl_status_t multiply_tile(const tt_gemm_job *job, const tt_gemm_task *t, float *sums) {
    const tt_gemm *p = job->p;
    const tt_gemm_bf16 *shapes = &job->bf16;
    const tt_gemm_state *state = job->state;
    const int thread = omp_get_thread_num();
    char *scratch =
        state->scratch_bytes ? (char *)state->scratch.data + (size_t)thread * state->scratch_bytes : NULL;
    const int end = tt_gemm_min(t->from + job->tiling.part_k, shapes->padded_k);
    for (int from = t->from; from < end; from += DEPTH) {
        const int last = shapes->padded_k - from <= DEPTH, accumulate = from != t->from;
        const tt_matmul *matmul =
            shapes->matmuls[t->tile_row == job->tiling.tiles_m - 1][t->tile_column == job->tiling.tiles_n - 1]
                           [last][accumulate];
        const size_t a = p->trans_a ? (size_t)from * shapes->lda + t->i : (size_t)t->i * shapes->lda + from;
        const size_t b = p->trans_b ? (size_t)t->j * shapes->ldb + from : (size_t)from * shapes->ldb + t->j;
        void *const data[TT_MATMUL_MEMORIES] = {[TT_MATMUL_A] = (uint16_t *)state->a16.data + a,
            [TT_MATMUL_B] = (uint16_t *)state->b16.data + b,
            [TT_MATMUL_C] = sums,
            [TT_MATMUL_SCRATCH] = scratch};
        const dnnl_status_t status =
            tt_matmul_run(matmul, tt_matmul_cache_stream(state->matmuls, thread), thread, data);
        if (status != dnnl_success) return status;
    }
    return dnnl_success;
}

static dnnl_status_t task_bf16(const tt_gemm_job *job, const tt_gemm_task *t) {
    float *sums = (float *)job->state->tiles.data + (size_t)omp_get_thread_num() * TILE_M * TILE_N;
    const dnnl_status_t status = multiply_tile(job, t, sums);
    if (status != dnnl_success) return status;
    for (int row = 0; row < t->m; ++row)
        tt_gemm_write_row(t->n, t->c + (size_t)row * t->ldc, sums + (size_t)row * t->n, t->alpha, t->beta);
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
            for (int from = 0; from < shapes->padded_k; from += DEPTH) {
                if ((mi == 0 && tiling->tiles_m == 1) || (ni == 0 && tiling->tiles_n == 1)) break;
                const int last = shapes->padded_k - from <= DEPTH, accumulate = from % tiling->part_k != 0;
                const tt_matmul **place = &shapes->matmuls[mi][ni][last][accumulate];
                if (*place) continue;
                const tt_matmul_shape shape = {.m = mi ? last_m : tiling->tile_m,
                    .n = ni ? last_n : tiling->tile_n,
                    .k = last ? shapes->padded_k - from : DEPTH,
                    .lda = shapes->lda,
                    .ldb = shapes->ldb,
                    .trans_a = p->trans_a,
                    .trans_b = p->trans_b,
                    .accumulate = accumulate};
                TT_TRY(tt_matmul_cache_get(place, state->matmuls, &shape));
                if ((*place)->scratch_bytes > job->needs.scratch)
                    job->needs.scratch = (*place)->scratch_bytes;
            }
    return TT_OK;
}

void tt_gemm_plan_bf16(tt_gemm_job *job) {
    const tt_gemm *p = job->p;
    const int padded_m = pad_rows(p->m), padded_k = tt_gemm_round_up(p->k, TT_GEMM_PAD);
    job->tiling = tt_gemm_cut(
        p->m, p->n, p->k, (tt_gemm_limits){.tile_m = TILE_M, .tile_n = TILE_N, .tile_min = TILE_MIN});
    job->load_inputs = round_inputs;
    job->do_task = task_bf16;
    job->bf16 = (tt_gemm_bf16){.lda = p->trans_a ? padded_m : padded_k,
        .ldb = p->trans_b ? padded_k : p->n,
        .padded_m = padded_m,
        .padded_k = padded_k};
    const size_t a_rows = p->trans_a ? padded_k : padded_m, b_rows = p->trans_b ? p->n : padded_k;
    job->needs.a16 = (size_t)job->bf16.lda * a_rows * sizeof(uint16_t);
    job->needs.b16 = (size_t)job->bf16.ldb * b_rows * sizeof(uint16_t);
    job->needs.tiles = (size_t)job->state->threads * TILE_M * TILE_N * sizeof(float);
}
