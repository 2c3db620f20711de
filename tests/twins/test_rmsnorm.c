// RMSNorm with residual add and dropouts: forward against float64, gradients against central differences of
// the float64 function.
#include "twin.h"

typedef struct problem {
    int rows, d;
    double eps;
    float *x, *branch, *w, *dy, *dx;
    tt_dropout drop, output_drop;
} problem;

static problem make(int rows, int d, bool branch, float p) {
    const size_t n = (size_t)rows * d;
    problem it = {.rows = rows,
        .d = d,
        .eps = 1e-6,
        .x = twin_normal(n, 2, 1),
        .w = twin_normal((size_t)d, 1, 3),
        .dy = twin_normal(n, 1, 4),
        .dx = twin_normal(n, 1, 5),
        .drop = twin_dropout(p, 21, rows),
        .output_drop = twin_dropout(p, 22, rows)};
    if (branch) it.branch = twin_normal(n, 1, 2);
    return it;
}

static void release(problem *it) {
    free(it->x), free(it->branch), free(it->w), free(it->dy), free(it->dx);
    twin_dropout_close(&it->drop);
    twin_dropout_close(&it->output_drop);
}

// One row: x (already with its branch) and w to y before the output's dropout.
static void norm_row(const problem *it, double *y, const double *x, const double *w) {
    double square = 0;
    for (int c = 0; c < it->d; ++c) square += x[c] * x[c];
    for (int c = 0; c < it->d; ++c) y[c] = x[c] * w[c] / sqrt(square / it->d + it->eps);
}

// sum of output_dropout(norm(x)) * dy over row t: what dx and dw are derivatives of.
static double row_loss(const problem *it, int t, const double *x, const double *w) {
    double *y = twin_alloc((size_t)it->d, sizeof *y), sum = 0;
    norm_row(it, y, x, w);
    for (int c = 0; c < it->d; ++c)
        sum +=
            y[c] * twin_factor(&it->output_drop, it->output_drop.site, t, c) * it->dy[(size_t)t * it->d + c];
    free(y);
    return sum;
}

static void run(
    const problem *it, int threads, float *x, float *y, float *rstd, float *dx, float *dbranch, float *dw) {
    tt_device *device = twin_device(threads);
    tt_rmsnorm p = {.rows = it->rows,
        .d = it->d,
        .eps = (float)it->eps,
        .w = it->w,
        .rstd = rstd,
        .x = x,
        .branch = it->branch,
        .drop = it->drop,
        .y = y,
        .output_drop = it->output_drop};
    twin_ok(device->ops->rmsnorm_fwd(device, &p));
    p.dy = it->dy, p.dx = dx, p.dbranch = it->branch ? dbranch : NULL, p.dw = dw;
    twin_ok(device->ops->rmsnorm_bwd(device, &p));
    tt_device_close(device);
}

static void check(int rows, int d, bool branch, float drop) {
    problem it = make(rows, d, branch, drop);
    const size_t n = (size_t)rows * d;
    double *x = twin_alloc(n, sizeof *x), *y = twin_alloc(n, sizeof *y), *dx = twin_alloc(n, sizeof *dx);
    double *dbranch = twin_alloc(n, sizeof *dbranch), *w = twin_alloc((size_t)d, sizeof *w),
           *dw = twin_alloc((size_t)d, sizeof *dw);
    for (int c = 0; c < d; ++c) w[c] = it.w[c];
    for (int t = 0; t < rows; ++t) {
        double *row = x + (size_t)t * d;
        for (int c = 0; c < d; ++c) {
            row[c] = it.x[(size_t)t * d + c];
            if (branch) row[c] += it.branch[(size_t)t * d + c] * twin_factor(&it.drop, it.drop.site, t, c);
        }
        norm_row(&it, y + (size_t)t * d, row, w);
        for (int c = 0; c < d; ++c) {
            y[(size_t)t * d + c] *= twin_factor(&it.output_drop, it.output_drop.site, t, c);
            const double step = 1e-4, held = row[c], held_w = w[c];
            row[c] = held + step;
            double up = row_loss(&it, t, row, w);
            row[c] = held - step;
            const size_t at = (size_t)t * d + c;
            dx[at] = it.dx[at] + (up - row_loss(&it, t, row, w)) / (2 * step);
            dbranch[at] = dx[at] * twin_factor(&it.drop, it.drop.site, t, c);
            row[c] = held;
            w[c] = held_w + step;
            up = row_loss(&it, t, row, w);
            w[c] = held_w - step;
            dw[c] += (up - row_loss(&it, t, row, w)) / (2 * step);
            w[c] = held_w;
        }
    }
    for (int c = 0; c < d; ++c) dw[c] += 0.5; // what is there is added to
    float *out[2][6];
    for (int k = 0; k < 2; ++k) {
        float **o = out[k];
        o[0] = twin_copy(it.x, n), o[1] = twin_alloc(n, sizeof **o),
        o[2] = twin_alloc((size_t)rows, sizeof **o);
        o[3] = twin_copy(it.dx, n), o[4] = twin_alloc(n, sizeof **o),
        o[5] = twin_alloc((size_t)d, sizeof **o);
        for (int c = 0; c < d; ++c) o[5][c] = 0.5f;
        run(&it, k == 0 ? 1 : 3, o[0], o[1], o[2], o[3], o[4], o[5]);
    }
    twin_expect_rows(TWIN_FP32, "x with branch", out[0][0], d, x, rows, d);
    twin_expect_rows(TWIN_FP32, "y", out[0][1], d, y, rows, d);
    twin_expect_rows(TWIN_FP32_GRAD, "dx", out[0][3], d, dx, rows, d);
    if (branch) twin_expect_rows(TWIN_FP32_GRAD, "dbranch", out[0][4], d, dbranch, rows, d);
    twin_expect(TWIN_FP32_GRAD, "dw", out[0][5], dw, d);
    const size_t counts[] = {n, n, (size_t)rows, n, n, (size_t)d};
    for (int i = 0; i < 6; ++i) {
        twin_same_bits("rmsnorm with 1 and 3 threads", out[0][i], out[1][i], counts[i], sizeof(float));
        free(out[0][i]), free(out[1][i]);
    }
    free(x), free(y), free(dx), free(dbranch), free(w), free(dw);
    release(&it);
}

static void against_float64(void **state) {
    (void)state;
    check(1, 1, true, 0);
    check(3, 7, false, 0);
    check(70, 33, true, 0);
    check(37, 64, true, 0.1f);
    for (int rows = 31; rows <= 33; ++rows) check(rows, 9, true, 0); // one block of rows, two
    for (int d = 255; d <= 257; ++d) check(3, d, true, 0.1f);        // one tile of factors, two
    check(5, 301, true, 0.5f);                                       // more than one tile of factors
}

static void bad_input(void **state) {
    (void)state;
    tt_device *device = twin_device(1);
    tt_rmsnorm p = {.rows = 1, .d = 0};
    twin_refused(device->ops->rmsnorm_fwd(device, &p), TT_ERR_INPUT, "1 rows of 0");
    p = (tt_rmsnorm){.rows = 0, .d = 4};
    twin_ok(device->ops->rmsnorm_fwd(device, &p));
    twin_ok(device->ops->rmsnorm_bwd(device, &p));
    p.drop.p = NAN;
    twin_refused(device->ops->rmsnorm_bwd(device, &p), TT_ERR_INPUT, "dropout probability nan");
    tt_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_float64), cmocka_unit_test(bad_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
