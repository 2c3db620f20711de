// Matrix products by tasks of one thread each. oneDNN is called for one tile of C at a time: left to its own
// threads it may split k among them, and then the sum, so the bits, would depend on their number. Where k is
// split, the parts are added in order.
#include "kernels/cpu/gemm.h"

#include "host/base/memory.h"

#include <omp.h>
#include <stdlib.h>

static tt_status open_state(tt_gemm_state **out, tt_device *device) {
    if (!device->state) {
        tt_gemm_state *state;
        TT_TRY(tt_alloc(&state, 1, sizeof *state, "gemm's state"));
        device->state = state;
        state->threads = device->threads;
    }
    *out = device->state;
    return TT_OK;
}

void tt_cpu_gemm_close(tt_device *device) {
    tt_gemm_state *state = device->state;
    if (!state) return;
    tt_matmul_cache_close(state->matmuls);
    free(state->a16.data);
    free(state->b16.data);
    free(state->tiles.data);
    free(state->partials.data);
    free(state->scratch.data);
    free(state);
    device->state = NULL;
}

// Tasks go through all tiles of the first part of k, then of the next.
static tt_gemm_task task_of(const tt_gemm_job *job, int number) {
    const tt_gemm *p = job->p;
    const tt_gemm_tiling *tiling = &job->tiling;
    tt_gemm_task t = {.tile_row = number / tiling->tiles_n % tiling->tiles_m,
        .tile_column = number % tiling->tiles_n,
        .part = number / (tiling->tiles_m * tiling->tiles_n)};
    t.i = t.tile_row * tiling->tile_m, t.j = t.tile_column * tiling->tile_n, t.from = t.part * tiling->part_k;
    t.m = tt_gemm_min(tiling->tile_m, p->m - t.i);
    t.n = tt_gemm_min(tiling->tile_n, p->n - t.j);
    t.k = tt_gemm_min(tiling->part_k, p->k - t.from);
    if (tiling->parts_k == 1) {
        t.alpha = p->alpha, t.beta = p->beta;
        t.c = tt_out(p->c), t.ldc = p->ldc;
    } else {
        t.alpha = 1;
        t.c = (float *)job->state->partials.data + (size_t)t.part * p->m * p->n, t.ldc = p->n;
    }
    t.c += (size_t)t.i * t.ldc + t.j;
    return t;
}

// C = alpha (sum of the parts) + beta C, the parts in order.
static void add_partials(const tt_gemm_job *job) {
    const tt_gemm *p = job->p;
    const float *partials = job->state->partials.data;
    const size_t part = (size_t)p->m * p->n;
#pragma omp for schedule(static)
    for (int i = 0; i < p->m; ++i)
        for (int l = 0; l < job->tiling.parts_k; ++l)
            tt_gemm_write_row(p->n, tt_out(p->c) + (size_t)i * p->ldc, partials + l * part + (size_t)i * p->n,
                p->alpha, l == 0 ? p->beta : 1);
}

static tt_status run_tasks(const tt_gemm_job *job) {
    const tt_gemm *p = job->p;
    const tt_gemm_tiling *tiling = &job->tiling;
    const int tasks = tiling->tiles_m * tiling->tiles_n * tiling->parts_k;
    if (tiling->parts_k > 1)
        TT_TRY(tt_gemm_reserve(&job->state->partials, (size_t)p->m * p->n * tiling->parts_k * sizeof(float)));
    dnnl_status_t failure = dnnl_success;
#pragma omp parallel num_threads(job->state->threads)
    {
        omp_set_num_threads(1); // for oneDNN, within this thread's region alone
        if (job->load_inputs) job->load_inputs(job);
#pragma omp for schedule(dynamic, 1)
        for (int number = 0; number < tasks; ++number) {
            const tt_gemm_task task = task_of(job, number);
            const dnnl_status_t status = job->do_task(job, &task);
            if (status != dnnl_success) {
#pragma omp atomic write
                failure = status;
            }
        }
        if (tiling->parts_k > 1) add_partials(job);
    }
    return failure == dnnl_success ? TT_OK : tt_onednn_failed(failure, "product", p->m, p->n, p->k);
}

static tt_status check_form(const tt_gemm *p) {
    if (p->batch < 0) return tt_fail(TT_ERR_INPUT, "gemm: a batch of %d products", p->batch);
    if (p->mask && (p->relu || p->batch > 1 || p->ldmask % 128 || p->ldmask < p->n))
        return tt_fail(TT_ERR_INPUT,
            "gemm: a mask with rows of %d bits, relu %d, batch %d; expected a multiple of 128, at least %d, "
            "and no "
            "relu or batch",
            p->ldmask, p->relu, p->batch, p->n);
    return TT_OK;
}

static tt_status multiply(tt_device *device, const tt_gemm *p) {
    const int a_columns = p->trans_a ? p->m : p->k, b_columns = p->trans_b ? p->k : p->n;
    if (p->m < 0 || p->n < 0 || p->k < 1 || p->lda < a_columns || p->ldb < b_columns || p->ldc < p->n)
        return tt_fail(TT_ERR_INPUT,
            "gemm: m %d, n %d, k %d with row distances %d, %d, %d; expected m, n >= 0, k >= 1 and distances "
            "of at least %d, %d, %d",
            p->m, p->n, p->k, p->lda, p->ldb, p->ldc, a_columns, b_columns, p->n);
    if (p->m == 0 || p->n == 0) return TT_OK;
    tt_gemm_job job = {.p = p};
    TT_TRY(open_state(&job.state, device));
    TT_TRY(device->precision == TT_FP32 ? tt_gemm_plan_fp32(&job) : tt_gemm_plan_bf16(&job));
    return run_tasks(&job);
}

TT_MULTIVERSION(void, clip_row, (int n, float *c), (n, c)) {
#pragma omp simd
    for (int j = 0; j < n; ++j) c[j] = c[j] < 0 ? 0 : c[j];
}

TT_MULTIVERSION(void, mask_row, (int n, float *c, const uint8_t *mask), (n, c, mask)) {
    for (int j = 0; j < n; j += 8) {
        const int bits = mask[j / 8], rest = n - j < 8 ? n - j : 8;
#pragma omp simd
        for (int i = 0; i < rest; ++i) c[j + i] = bits >> i & 1 ? c[j + i] : 0;
    }
}

static tt_status one_product(tt_device *device, const tt_gemm *p) {
    TT_TRY(multiply(device, p));
    if (!p->relu && !p->mask) return TT_OK;
    float *c = tt_out(p->c);
#pragma omp parallel for num_threads(device->threads) schedule(static)
    for (int i = 0; i < p->m; ++i) {
        if (p->relu) clip_row(p->n, c + (ptrdiff_t)i * p->ldc);
        if (p->mask) mask_row(p->n, c + (ptrdiff_t)i * p->ldc, p->mask + (ptrdiff_t)i * p->ldmask / 8);
    }
    return TT_OK;
}

// One product after the other: each is cut into enough tasks for all threads, and its bits are those that it has alone.
tt_status tt_cpu_gemm(tt_device *device, const tt_gemm *p) {
    TT_TRY(check_form(p));
    tt_gemm product = *p;
    product.batch = 1;
    for (int i = 0; i < (p->batch > 1 ? p->batch : 1); ++i) {
        product.a = tt_in(p->a) + i * p->stride_a;
        product.b = tt_in(p->b) + i * p->stride_b;
        product.c = tt_out(p->c) + i * p->stride_c;
        TT_TRY(one_product(device, &product));
    }
    return TT_OK;
}
