// Matrix products by tasks of one thread each. oneDNN is called for one tile of C at a time: left to its own
// threads it may split k among them, and then the sum, so the bits, would depend on their number. Where k is
// split, the parts are added in order.
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/operand.h"
#include "kernels/cpu/reserve.h"
#include "kernels/cpu/vector.h"

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
    tt_device_free(device, state->a16.data);
    tt_device_free(device, state->b16.data);
    tt_device_free(device, state->tiles.data);
    tt_device_free(device, state->partials.data);
    tt_device_free(device, state->scratch.data);
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
    size_t size = sizeof(float);
    if (tiling->parts_k == 1) {
        t.alpha = p->alpha, t.beta = p->beta;
        t.c = p->c, t.ldc = p->ldc;
        if (job->narrow) size = sizeof(uint16_t);
    } else {
        t.alpha = 1;
        t.c = (float *)job->state->partials.data + (size_t)t.part * p->m * p->n, t.ldc = p->n;
    }
    t.c = (char *)t.c + ((size_t)t.i * t.ldc + t.j) * size;
    return t;
}

TT_MULTIVERSION(void, clip_row, (int n, float *c), (n, c)) {
#pragma omp simd
    for (int j = 0; j < n; ++j) c[j] = c[j] < 0 ? 0 : c[j];
}

// C = alpha (sum of the parts) + beta C, the parts in order.
static void add_partials(const tt_gemm_job *job) {
    const tt_gemm *p = job->p;
    float *partials = job->state->partials.data;
    const size_t part = (size_t)p->m * p->n;
#pragma omp for schedule(static)
    for (int i = 0; i < p->m; ++i) {
        if (job->narrow) {
            float *sums = partials + (size_t)i * p->n;
            for (int l = 1; l < job->tiling.parts_k; ++l) tt_vector_add(p->n, sums, sums + l * part);
            tt_gemm_write_narrow(
                p->n, (uint16_t *)p->c + (size_t)i * p->ldc, sums, p->alpha, p->beta, p->relu);
            continue;
        }
        float *c = tt_out(p->c) + (size_t)i * p->ldc;
        for (int l = 0; l < job->tiling.parts_k; ++l)
            tt_gemm_write_row(
                p->n, c, partials + l * part + (size_t)i * p->n, p->alpha, l == 0 ? p->beta : 1);
        if (p->relu) clip_row(p->n, c);
    }
}

static tt_status run_tasks(const tt_gemm_job *job) {
    const tt_gemm *p = job->p;
    const tt_gemm_tiling *tiling = &job->tiling;
    const int tasks = tiling->tiles_m * tiling->tiles_n * tiling->parts_k;
    dnnl_status_t failure = dnnl_success;
    const bool whole = tiling->parts_k == 1; // a task writes its part of C itself
#pragma omp parallel num_threads(tt_cpu_team(job->state->threads))
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
            for (int i = 0; p->relu && whole && !job->narrow && i < task.m; ++i)
                clip_row(task.n, (float *)task.c + (ptrdiff_t)i * task.ldc);
        }
        if (tiling->parts_k > 1) add_partials(job);
    }
    return failure == dnnl_success ? TT_OK : tt_onednn_failed(failure, "product", p->m, p->n, p->k);
}

static tt_status reserve_buffers(tt_device *device, const tt_gemm_job *job) {
    tt_gemm_state *state = job->state;
    const tt_gemm_needs *needs = &job->needs;
    const size_t scratch = (needs->scratch + 63) / 64 * 64, parts = (size_t)job->tiling.parts_k;
    if (scratch > state->scratch_bytes) state->scratch_bytes = scratch;
    TT_TRY(tt_gemm_reserve(device, &state->a16, needs->a16));
    TT_TRY(tt_gemm_reserve(device, &state->b16, needs->b16));
    TT_TRY(tt_gemm_reserve(device, &state->tiles, needs->tiles));
    if (parts > 1)
        TT_TRY(
            tt_gemm_reserve(device, &state->partials, (size_t)job->p->m * job->p->n * parts * sizeof(float)));
    return tt_gemm_reserve(device, &state->scratch, (size_t)state->threads * state->scratch_bytes);
}

static tt_status plan(tt_device *device, tt_gemm_job *job) {
    TT_TRY(open_state(&job->state, device));
    job->narrow = tt_narrow(device) && !job->p->c_fp32;
    if (device->precision == TT_FP32)
        tt_gemm_plan_fp32(job);
    else
        tt_gemm_plan_bf16(job);
    return TT_OK;
}

tt_status tt_cpu_gemm_reserve(tt_device *device, const tt_gemm *p) {
    if (p->m == 0 || p->n == 0) return TT_OK;
    tt_gemm_job job = {.p = p};
    TT_TRY(plan(device, &job));
    return reserve_buffers(device, &job);
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
    TT_TRY(plan(device, &job));
    if (device->precision != TT_FP32) TT_TRY(tt_gemm_find_matmuls(&job));
    TT_TRY(reserve_buffers(device, &job));
    return run_tasks(&job);
}

// One product after the other: each is cut into enough tasks for all threads, and its bits are those that it has alone.
tt_status tt_cpu_gemm(tt_device *device, const tt_gemm *p) {
    if (p->batch < 0) return tt_fail(TT_ERR_INPUT, "gemm: a batch of %d products", p->batch);
    tt_gemm product = *p;
    product.batch = 1;
    const ptrdiff_t operand = (ptrdiff_t)device->operand_size,
                    result = p->c_fp32 ? (ptrdiff_t)sizeof(float) : operand;
    for (int i = 0; i < (p->batch > 1 ? p->batch : 1); ++i) {
        product.a = (const char *)p->a + i * p->stride_a * operand;
        product.b = (const char *)p->b + i * p->stride_b * operand;
        product.c = (char *)p->c + i * p->stride_c * result;
        TT_TRY(multiply(device, &product));
    }
    return TT_OK;
}
