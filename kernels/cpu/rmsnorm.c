// RMSNorm fused with the residual add and both dropouts. Rows are independent except for dw, whose sum over
// rows is taken in blocks of fixed size, so that it does not depend on the number of threads.
#include "kernels/cpu/dropout.h"
#include "kernels/cpu/operand.h"
#include "kernels/cpu/reserve.h"
#include "kernels/cpu/vector.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 2 * TT_RMSNORM_STRIP }; // rows whose dw is summed one after another

TT_MULTIVERSION(
    float, add_branch, (int d, float *x, const float *x_in, const float *branch), (d, x, x_in, branch)) {
    float sum = 0;
    if (branch) {
#pragma omp simd
        for (int c = 0; c < d; ++c) x[c] = x_in[c] + branch[c];
    }
    // One loop for both cases, so that a norm that is computed again from x has the same bits.
#pragma omp simd reduction(+ : sum)
    for (int c = 0; c < d; ++c) sum += x[c] * x[c];
    return sum;
}

TT_MULTIVERSION(
    void, normalise_row, (int d, float *y, const float *x, const float *w, float rstd), (d, y, x, w, rstd)) {
#pragma omp simd
    for (int c = 0; c < d; ++c) y[c] = x[c] * rstd * w[c];
}

// dx += dnorm(dy), dw += dy * x * rstd
TT_MULTIVERSION(void, row_backward,
    (int d, float *dx, float *dw, const float *dy, const float *x, const float *w, float rstd),
    (d, dx, dw, dy, x, w, rstd)) {
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int c = 0; c < d; ++c) dot += dy[c] * w[c] * x[c];
    const float mean = dot * rstd * rstd / (float)d;
#pragma omp simd
    for (int c = 0; c < d; ++c) {
        float g = dy[c];
        dw[c] += g * x[c] * rstd;
        dx[c] += rstd * (g * w[c] - x[c] * mean);
    }
}

static tt_status check_rmsnorm(const tt_rmsnorm *p, const char *op) {
    if (p->rows < 0 || p->d < 1)
        return tt_fail(TT_ERR_INPUT, "%s: %d rows of %d, expected rows >= 0 and d >= 1", op, p->rows, p->d);
    TT_TRY(tt_dropout_check(&p->drop, op));
    return tt_dropout_check(&p->output_drop, op);
}

size_t tt_cpu_rmsnorm_fwd_scratch(const tt_device *device, const tt_rmsnorm *p) {
    const bool any = tt_narrow(device) || (p->branch && p->drop.p > 0);
    return any ? (size_t)device->threads * p->d * sizeof(float) : 0;
}

tt_status tt_cpu_rmsnorm_fwd(tt_device *device, const tt_rmsnorm *p) {
    TT_TRY(check_rmsnorm(p, "rmsnorm_fwd"));
    const int d = p->d;
    const bool narrow = tt_narrow(device);
    // One row per thread: for the branch in fp32 and after dropout, and then for y.
    float *rows = NULL;
    const size_t bytes = tt_cpu_rmsnorm_fwd_scratch(device, p);
    if (bytes) {
        rows = tt_device_scratch(device, bytes);
        if (!rows) return TT_ERR_NOMEM;
    }
#pragma omp parallel for num_threads(tt_cpu_team(device->threads)) schedule(static)
    for (int t = 0; t < p->rows; ++t) {
        const size_t offset = (size_t)t * d;
        float *own = rows ? rows + (size_t)tt_cpu_thread() * d : NULL;
        const float *branch = p->branch ? tt_load(narrow, p->branch, offset, d, own) : NULL;
        if (branch && p->drop.p > 0) {
            tt_dropout_row(&p->drop, t, d, own, branch);
            branch = own;
        }
        const float *x_in = (p->x_in ? p->x_in : p->x) + offset;
        float mean = add_branch(d, p->x + offset, x_in, branch) / (float)d;
        p->rstd[t] = 1.0f / sqrtf(mean + p->eps);
        float *y = tt_target(narrow, p->y, offset, own);
        normalise_row(d, y, p->x + offset, p->w, p->rstd[t]);
        if (p->output_drop.p > 0) tt_dropout_row(&p->output_drop, t, d, y, y);
        tt_store(narrow, p->y, offset, d, y);
    }
    return TT_OK;
}

static void add_blocks(int d, float *dw, const float *partial, int rows) {
    for (int b = 0; b * BLOCK < rows; ++b) tt_vector_add(d, dw, partial + (size_t)b * d);
}

// Of partial sums of dw, unless they go to strips.
static size_t count_partials(const tt_rmsnorm *p) {
    return p->strips ? 0 : (size_t)((p->rows + BLOCK - 1) / BLOCK) * p->d;
}

size_t tt_cpu_rmsnorm_bwd_scratch(const tt_device *device, const tt_rmsnorm *p) {
    return (count_partials(p) + (size_t)device->threads * p->d) * sizeof(float);
}

tt_status tt_cpu_rmsnorm_bwd(tt_device *device, const tt_rmsnorm *p) {
    TT_TRY(check_rmsnorm(p, "rmsnorm_bwd"));
    if (p->rows == 0) return TT_OK;
    const bool narrow = tt_narrow(device);
    const int d = p->d, blocks = (p->rows + BLOCK - 1) / BLOCK;
    const size_t partials = count_partials(p);
    float *scratch = tt_device_scratch(device, tt_cpu_rmsnorm_bwd_scratch(device, p));
    if (!scratch) return TT_ERR_NOMEM;
    float *partial = p->strips ? p->strips : scratch;
#pragma omp parallel num_threads(tt_cpu_team(device->threads))
    {
        float *own = scratch + partials + (size_t)tt_cpu_thread() * d;
#pragma omp for schedule(static)
        for (int b = 0; b < blocks; ++b) {
            float *dw = partial + (size_t)b * d;
            memset(dw, 0, (size_t)d * sizeof *dw);
            for (int t = b * BLOCK; t < p->rows && t < (b + 1) * BLOCK; ++t) {
                const size_t offset = (size_t)t * d;
                const float *dy = tt_load(narrow, p->dy, offset, d, own);
                if (p->output_drop.p > 0) {
                    tt_dropout_row(&p->output_drop, t, d, own, dy);
                    dy = own;
                }
                row_backward(d, p->dx + offset, dw, dy, p->x + offset, p->w, p->rstd[t]);
                if (!p->dbranch) continue;
                float *dbranch = tt_target(narrow, p->dbranch, offset, own);
                tt_dropout_row(&p->drop, t, d, dbranch, p->dx + offset);
                tt_store(narrow, p->dbranch, offset, d, dbranch);
            }
        }
    }
    if (!p->strips) add_blocks(d, p->dw, partial, p->rows);
    return TT_OK;
}

tt_status tt_cpu_rmsnorm_dw(tt_device *device, const tt_rmsnorm_sum *sums, int n, int d) {
    (void)device;
    if (n < 0 || d < 1)
        return tt_fail(TT_ERR_INPUT, "rmsnorm_dw: %d norms of %d, expected n >= 0 and d >= 1", n, d);
    for (int i = 0; i < n; ++i) add_blocks(d, sums[i].dw, sums[i].strips, sums[i].rows);
    return TT_OK;
}
