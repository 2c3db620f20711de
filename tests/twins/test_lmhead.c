// LM head with log-softmax: values and gradients against float64, those against central differences.
#include "twin.h"

typedef struct problem {
    int rows, d, vocab;
    double scale;
    float *h, *w, *dlogp, *dw;
    int32_t *targets;
} problem;

static problem make(int rows, int d, int vocab, double scale, double spread) {
    return (problem){.rows = rows,
        .d = d,
        .vocab = vocab,
        .scale = scale,
        .h = twin_normal((size_t)rows * d, spread, 1),
        .w = twin_normal((size_t)vocab * d, 1, 2),
        .dlogp = twin_normal((size_t)rows, 1, 3),
        .dw = twin_normal((size_t)vocab * d, 0.1, 4),
        .targets = twin_ids((size_t)rows, vocab, 5)};
}

static void release(problem *it) {
    free(it->h), free(it->w), free(it->dlogp), free(it->dw), free(it->targets);
}

// logits of a row, and the log of the sum of their exponentials.
static double row_lse(const problem *it, const double *h, double *logits) {
    double max = -INFINITY, sum = 0;
    for (int j = 0; j < it->vocab; ++j) {
        logits[j] = 0;
        for (int c = 0; c < it->d; ++c) logits[j] += it->scale * h[c] * it->w[(size_t)j * it->d + c];
        max = fmax(max, logits[j]);
    }
    for (int j = 0; j < it->vocab; ++j) sum += exp(logits[j] - max);
    return max + log(sum);
}

typedef struct answer {
    double *lse, *logp, *dh, *dw;
} answer;

static answer naive(const problem *it) {
    const size_t d = (size_t)it->d;
    answer out = {twin_alloc((size_t)it->rows, sizeof(double)), twin_alloc((size_t)it->rows, sizeof(double)),
        twin_alloc((size_t)it->rows * d, sizeof(double)), twin_alloc((size_t)it->vocab * d, sizeof(double))};
    double *h = twin_alloc(d, sizeof *h), *logits = twin_alloc((size_t)it->vocab, sizeof *logits);
    for (size_t i = 0; i < (size_t)it->vocab * d; ++i) out.dw[i] = it->dw[i];
    for (int t = 0; t < it->rows; ++t) {
        for (size_t c = 0; c < d; ++c) h[c] = it->h[(size_t)t * d + c];
        out.lse[t] = row_lse(it, h, logits);
        out.logp[t] = logits[it->targets[t]] - out.lse[t];
        for (int j = 0; j < it->vocab; ++j) {
            const double slope =
                it->scale * it->dlogp[t] * ((j == it->targets[t]) - exp(logits[j] - out.lse[t]));
            for (size_t c = 0; c < d; ++c) {
                out.dh[(size_t)t * d + c] += slope * it->w[(size_t)j * d + c];
                out.dw[(size_t)j * d + c] += slope * h[c];
            }
        }
    }
    free(h), free(logits);
    return out;
}

static void forget(answer *a) {
    free(a->lse), free(a->logp), free(a->dh), free(a->dw);
}

typedef struct result {
    float *lse, *logp, *dh, *dw;
} result;

static result run(const problem *it, tt_precision precision, int threads, bool fused) {
    const size_t rows = (size_t)it->rows, d = (size_t)it->d, vocab = (size_t)it->vocab;
    result r = {
        twin_alloc(rows, 4), twin_alloc(rows, 4), twin_normal(rows * d, 1, 9), twin_copy(it->dw, vocab * d)};
    tt_device *device;
    twin_ok(tt_device_open(&device, "cpu", precision, threads));
    const bool bf16 = precision == TT_BF16;
    uint16_t *h = bf16 ? twin_narrow(it->h, rows * d) : NULL,
             *w = bf16 ? twin_narrow(it->w, vocab * d) : NULL,
             *dh = bf16 ? twin_narrow(r.dh, rows * d) : NULL;
    tt_lmhead p = {.rows = it->rows,
        .d = it->d,
        .vocab = it->vocab,
        .scale = (float)it->scale,
        .h = bf16 ? (void *)h : it->h,
        .w = bf16 ? (void *)w : it->w,
        .targets = it->targets,
        .lse = r.lse,
        .logp = r.logp,
        .dlogp = it->dlogp,
        .dh = bf16 ? (void *)dh : r.dh,
        .dw = r.dw};
    if (fused) {
        twin_ok(device->ops->lmhead_fused(device, &p));
    } else {
        twin_ok(device->ops->lmhead_fwd(device, &p));
        twin_ok(device->ops->lmhead_bwd(device, &p));
    }
    if (bf16) tt_float_from_bf16((int64_t)(rows * d), r.dh, dh);
    free(h), free(w), free(dh);
    tt_device_close(device);
    return r;
}

static void drop_result(result *r) {
    free(r->lse), free(r->logp), free(r->dh), free(r->dw);
}

static void compare(const problem *it, const result *got, const answer *want, bool bf16) {
    twin_expect(bf16 ? TWIN_BF16 : TWIN_FP32, "lse", got->lse, want->lse, it->rows);
    twin_expect(bf16 ? TWIN_BF16 : TWIN_FP32, "logp", got->logp, want->logp, it->rows);
    twin_expect_rows(bf16 ? TWIN_BF16 : TWIN_FP32_GRAD, "dh", got->dh, it->d, want->dh, it->rows, it->d);
    twin_expect_rows(bf16 ? TWIN_BF16 : TWIN_FP32_GRAD, "dw", got->dw, it->d, want->dw, it->vocab, it->d);
}

static void same(const problem *it, const char *what, const result *a, const result *b) {
    twin_same_bits(what, a->lse, b->lse, (size_t)it->rows, 4);
    twin_same_bits(what, a->logp, b->logp, (size_t)it->rows, 4);
    twin_same_bits(what, a->dh, b->dh, (size_t)it->rows * it->d, 4);
    twin_same_bits(what, a->dw, b->dw, (size_t)it->vocab * it->d, 4);
}

static void check(int rows, int d, int vocab, double scale, double spread) {
    problem it = make(rows, d, vocab, scale, spread);
    answer want = naive(&it);
    result apart = run(&it, TT_FP32, 1, false), fused = run(&it, TT_FP32, 1, true),
           two = run(&it, TT_FP32, 2, true);
    compare(&it, &apart, &want, false);
    same(&it, "LM head apart and fused", &apart, &fused);
    same(&it, "LM head with 1 and 2 threads", &fused, &two);
    drop_result(&apart), drop_result(&fused), drop_result(&two);
    forget(&want);
    release(&it);
}

static void against_float64(void **state) {
    (void)state;
    check(1, 1, 1, 1, 1);
    check(1, 5, 2, 1, 1);
    check(17, 31, 101, 0.3, 1);
    check(700, 9, 53, 1, 1);                                           // several chunks of rows
    check(66, 16, 2053, 1, 1);                                         // several tiles of the vocabulary
    for (int rows = 255; rows <= 257; ++rows) check(rows, 3, 7, 1, 1); // one chunk, two
    for (int vocab = 1023; vocab <= 1025; ++vocab) check(2, 3, vocab, 1, 1); // one tile, two
    check(128, 1, 131072, 1, 1), check(129, 1, 131072, 1, 1);                // 64 MiB of logits are one chunk
    check(64, 1, 262145, 1, 1), check(65, 1, 262145, 1, 1); // 64 rows are, whatever their size
    check(13, 24, 1031, 1, 1000); // logits in the thousands: only a stable softmax survives
}

// The formula in `naive` itself, against differences of its forward part.
static void float64_gradient_is_right(void **state) {
    (void)state;
    problem it = make(4, 6, 11, 0.7, 1);
    answer want = naive(&it);
    double *h = twin_alloc((size_t)it.d, sizeof *h), *logits = twin_alloc((size_t)it.vocab, sizeof *logits);
    float *slopes = twin_alloc((size_t)it.rows * it.d, sizeof *slopes);
    for (int t = 0; t < it.rows; ++t)
        for (int c = 0; c < it.d; ++c) {
            double value[2];
            for (int side = 0; side < 2; ++side) {
                for (int i = 0; i < it.d; ++i)
                    h[i] = it.h[t * it.d + i] + (i == c ? (side ? 1e-5 : -1e-5) : 0);
                const double lse = row_lse(&it, h, logits);
                value[side] = it.dlogp[t] * (logits[it.targets[t]] - lse);
            }
            slopes[t * it.d + c] = (float)((value[1] - value[0]) / 2e-5);
        }
    twin_expect(TWIN_FINITE, "dh", slopes, want.dh, it.rows * it.d);
    free(h), free(logits), free(slopes);
    forget(&want);
    release(&it);
}

static void bf16_is_near(void **state) {
    (void)state;
    if (tt_cpu_bf16() == TT_BF16_NONE) {
        print_message("skipped: oneDNN has no bf16 products for this CPU (%s)\n", tt_cpu_isa());
        skip();
    }
    problem it = make(150, 64, 333, 0.125, 1);
    answer want = naive(&it);
    result one = run(&it, TT_BF16, 1, true), two = run(&it, TT_BF16, 2, false);
    compare(&it, &one, &want, true);
    same(&it, "LM head in bf16 with 1 and 2 threads", &one, &two);
    drop_result(&one), drop_result(&two);
    forget(&want);
    release(&it);
}

static void bad_input(void **state) {
    (void)state;
    tt_device *device = twin_device(1);
    problem it = make(3, 4, 5, 1, 1);
    float out[32];
    tt_lmhead p = {.rows = 3,
        .d = 4,
        .vocab = 5,
        .scale = 1,
        .h = it.h,
        .w = it.w,
        .targets = it.targets,
        .lse = out,
        .logp = out + 4,
        .dlogp = it.dlogp,
        .dh = out + 8,
        .dw = it.dw};
    it.targets[2] = 5;
    twin_refused(device->ops->lmhead_fwd(device, &p), TT_ERR_INPUT,
        "target 5 at row 2 is outside the vocabulary 0..4");
    it.targets[2] = -1;
    twin_refused(device->ops->lmhead_fused(device, &p), TT_ERR_INPUT, "target -1 at row 2");
    it.targets[2] = 0;
    it.h[0] = NAN; // reaches the loss of its own row, and no other
    twin_ok(device->ops->lmhead_fwd(device, &p));
    assert_true(isnan(p.logp[0]) && isfinite(p.logp[1]) && isfinite(p.logp[2]));
    p.rows = 0;
    twin_ok(device->ops->lmhead_bwd(device, &p));
    release(&it);
    tt_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float64_gradient_is_right),
        cmocka_unit_test(against_float64),
        cmocka_unit_test(bf16_is_near),
        cmocka_unit_test(bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
