// Tasks of products in fp32: oneDNN's sgemm, but outer.c for sums over all rows of a batch, which weight
// gradients are.
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/outer.h"

#include <omp.h>

enum {
    TILE = 512,
    TILE_MIN = 128 // smaller tiles repack their inputs too often
};

static const float *task_a(const tt_gemm *p, const tt_gemm_task *t) {
    return tt_in(p->a) + (p->trans_a ? (size_t)t->from * p->lda + t->i : (size_t)t->i * p->lda + t->from);
}

static const float *task_b(const tt_gemm *p, const tt_gemm_task *t) {
    return tt_in(p->b) + (p->trans_b ? (size_t)t->j * p->ldb + t->from : (size_t)t->from * p->ldb + t->j);
}

static dnnl_status_t task_sgemm(const tt_gemm_job *job, const tt_gemm_task *t) {
    const tt_gemm *p = job->p;
    return dnnl_sgemm(p->trans_a ? 'T' : 'N', p->trans_b ? 'T' : 'N', t->m, t->n, t->k, t->alpha,
        task_a(p, t), p->lda, task_b(p, t), p->ldb, t->beta, t->c, t->ldc);
}

static dnnl_status_t task_outer(const tt_gemm_job *job, const tt_gemm_task *t) {
    const tt_gemm *p = job->p;
    char *memory =
        (char *)job->state->scratch.data + (size_t)omp_get_thread_num() * job->state->scratch_bytes;
    tt_cpu_outer(t->m, t->n, t->k, t->alpha, task_a(p, t), p->lda, task_b(p, t), p->ldb, t->beta, t->c,
        t->ldc, memory);
    return dnnl_success;
}

tt_status tt_gemm_plan_fp32(tt_gemm_job *job) {
    const tt_gemm *p = job->p;
    tt_gemm_state *state = job->state;
    const bool outer = p->trans_a && !p->trans_b && p->k >= 2 * TT_GEMM_K_PART && p->n % 16 == 0;
    // outer.c is better off with a cut along k than with small tiles.
    job->tiling = tt_gemm_cut(p->m, p->n, p->k,
        (tt_gemm_limits){.tile_m = TILE, .tile_n = TILE, .tile_min = outer ? TILE : TILE_MIN});
    job->do_task = outer ? task_outer : task_sgemm;
    if (!outer) return TT_OK;
    const size_t bytes = (tt_cpu_outer_bytes(TILE, TILE) + 63) / 64 * 64;
    if (bytes > state->scratch_bytes) state->scratch_bytes = bytes;
    return tt_gemm_reserve(&state->scratch, (size_t)state->threads * state->scratch_bytes);
}
