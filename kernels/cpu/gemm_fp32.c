// Tasks of products in fp32: oneDNN's sgemm, but outer.c for sums over all rows of a batch, which weight
// gradients are, and dots.c for the few rows of a step of decoding.
#include "kernels/cpu/dots.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/outer.h"

#include <limits.h>
#include <omp.h>

enum {
    TILE = 512,
    TILE_MIN = 128, // smaller tiles repack their inputs too often
    FEW = 16,       // rows for dots.c: with 32 oneDNN is faster
    FEW_TILE = 64   // columns of its tasks
};

// Of k, in one call of oneDNN's sgemm. Its code for x86 sums a product of matrices in blocks of k. Its generic code, for
// other processors, adds all terms of an element at the edge of C, which is every element of a narrow C, to one fp32
// number: rounding errors grow with the number of terms, too far where k is a vocabulary.
#if defined(__x86_64__)
enum { SGEMM_DEPTH = INT_MAX };
#else
enum { SGEMM_DEPTH = 256 };
#endif

static const float *task_a(const tt_gemm *p, const tt_gemm_task *t) {
    return tt_in(p->a) + (p->trans_a ? (size_t)t->from * p->lda + t->i : (size_t)t->i * p->lda + t->from);
}

static const float *task_b(const tt_gemm *p, const tt_gemm_task *t) {
    return tt_in(p->b) + (p->trans_b ? (size_t)t->j * p->ldb + t->from : (size_t)t->from * p->ldb + t->j);
}

static dnnl_status_t call_sgemm(const tt_gemm *p, const tt_gemm_task *t) {
    return dnnl_sgemm(p->trans_a ? 'T' : 'N', p->trans_b ? 'T' : 'N', t->m, t->n, t->k, t->alpha,
        task_a(p, t), p->lda, task_b(p, t), p->ldb, t->beta, t->c, t->ldc);
}

static dnnl_status_t task_sgemm(const tt_gemm_job *job, const tt_gemm_task *t) {
    const tt_gemm *p = job->p;
    if (t->k <= SGEMM_DEPTH) return call_sgemm(p, t);
    // Each stretch of k into a tile of its own, and that, once it is complete, into C.
    float *sums = (float *)job->state->tiles.data + (size_t)omp_get_thread_num() * TILE * TILE;
    tt_gemm_task stretch = *t;
    stretch.alpha = 1, stretch.beta = 0, stretch.c = sums, stretch.ldc = t->n;
    for (int done = 0; done < t->k; done += stretch.k) {
        stretch.from = t->from + done;
        stretch.k = tt_gemm_min(SGEMM_DEPTH, t->k - done);
        const dnnl_status_t status = call_sgemm(p, &stretch);
        if (status != dnnl_success) return status;
        for (int row = 0; row < t->m; ++row)
            tt_gemm_write_row(t->n, (float *)t->c + (size_t)row * t->ldc, sums + (size_t)row * t->n, t->alpha,
                done == 0 ? t->beta : 1);
    }
    return dnnl_success;
}

static dnnl_status_t task_outer(const tt_gemm_job *job, const tt_gemm_task *t) {
    const tt_gemm *p = job->p;
    char *memory =
        (char *)job->state->scratch.data + (size_t)omp_get_thread_num() * job->state->scratch_bytes;
    tt_cpu_outer(t->m, t->n, t->k, t->alpha, task_a(p, t), p->lda, task_b(p, t), p->ldb, t->beta, t->c,
        t->ldc, memory);
    return dnnl_success;
}

static dnnl_status_t task_dots(const tt_gemm_job *job, const tt_gemm_task *t) {
    const tt_gemm *p = job->p;
    tt_cpu_dots(
        t->m, t->n, t->k, t->alpha, task_a(p, t), p->lda, task_b(p, t), p->ldb, t->beta, t->c, t->ldc);
    return dnnl_success;
}

// k is not cut, so that a row's bits do not depend on how many there are.
static void plan_few(tt_gemm_job *job) {
    const tt_gemm *p = job->p;
    job->tiling = (tt_gemm_tiling){.tile_m = p->m,
        .tile_n = FEW_TILE,
        .part_k = p->k,
        .tiles_m = 1,
        .tiles_n = tt_gemm_ceil_div(p->n, FEW_TILE),
        .parts_k = 1};
    job->do_task = task_dots;
}

void tt_gemm_plan_fp32(tt_gemm_job *job) {
    const tt_gemm *p = job->p;
    if (p->m <= FEW && p->trans_b && !p->trans_a) {
        plan_few(job);
        return;
    }
    const bool outer = p->trans_a && !p->trans_b && p->k >= 2 * TT_GEMM_K_PART && p->n % 16 == 0;
    // outer.c is better off with a cut along k than with small tiles.
    job->tiling = tt_gemm_cut(p->m, p->n, p->k,
        (tt_gemm_limits){.tile_m = TILE, .tile_n = TILE, .tile_min = outer ? TILE : TILE_MIN});
    job->do_task = outer ? task_outer : task_sgemm;
    if (outer)
        job->needs.scratch = tt_cpu_outer_bytes(TILE, TILE);
    else if (job->tiling.part_k > SGEMM_DEPTH)
        job->needs.tiles = (size_t)job->state->threads * TILE * TILE * sizeof(float);
}
