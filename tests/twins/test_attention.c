// Attention over packed sequences against a naive float64 version: one (query, key, head) at a time, as the
// contract in kernels/ops.h words it.
#include "tests/twins/attention_case.h"
#include "tests/twins/twin.h"

#include "kernels/ops.h"

#include <string.h>

static const attention_case cases[] = {
    {.name = "one token",
        .heads = 1,
        .d_kv = 1,
        .q_seqs = 1,
        .q_length = {1},
        .bias = true,
        .bidirectional = true},
    {.name = "odd sizes",
        .heads = 1,
        .d_kv = 5,
        .q_seqs = 3,
        .q_length = {1, 7, 3},
        .bias = true,
        .bidirectional = true,
        .gap = 3},
    {.name = "encoder",
        .heads = 3,
        .d_kv = 32,
        .q_seqs = 4,
        .q_length = {17, 95, 1, 33},
        .bias = true,
        .bidirectional = true,
        .gap = 64},
    {.name = "decoder",
        .heads = 2,
        .d_kv = 64,
        .q_seqs = 3,
        .q_length = {31, 1, 70},
        .bias = true,
        .causal = true},
    {.name = "causal, no bias", .heads = 2, .d_kv = 24, .q_seqs = 2, .q_length = {34, 5}, .causal = true},
    {.name = "cross",
        .heads = 2,
        .d_kv = 17,
        .q_seqs = 5,
        .q_length = {9, 40, 1, 8, 3},
        .kv_seqs = 4,
        .kv_length = {50, 6, 13, 1},
        .source = {2, 0, 2, 3, 0}},
    {.name = "wide head",
        .heads = 1,
        .d_kv = 128,
        .q_seqs = 1,
        .q_length = {20},
        .bias = true,
        .bidirectional = true},
    {.name = "encoder, dropout",
        .heads = 2,
        .d_kv = 16,
        .q_seqs = 3,
        .q_length = {35, 6, 50},
        .bias = true,
        .bidirectional = true,
        .dropout = 0.1f},
    {.name = "decoder, dropout",
        .heads = 3,
        .d_kv = 8,
        .q_seqs = 2,
        .q_length = {3, 37},
        .bias = true,
        .causal = true,
        .dropout = 0.3f},
    {.name = "cross, dropout",
        .heads = 2,
        .d_kv = 5,
        .q_seqs = 3,
        .q_length = {4, 2, 33},
        .kv_seqs = 3,
        .kv_length = {7, 3, 5},
        .source = {0, 0, 2},
        .dropout = 0.5f},
};

enum { Q, K, V, BIAS, TENSORS }; // inputs of a case

typedef struct problem {
    tt_attention t;
    int q_rows, kv_rows, rows[TENSORS], columns[TENSORS], ld[TENSORS];
    float *in[TENSORS], *grad[TENSORS];
    double *exact[TENSORS], *exact_grad[TENSORS]; // packed [rows, columns]
    double *exact_out, *exact_lse;
} problem;

static float *random_rows(int rows, int ld, uint64_t seed, float scale) {
    float *x = twin_alloc((size_t)rows * ld, sizeof *x);
    twin_random(x, (size_t)rows * ld, seed, scale);
    return x;
}

static int32_t *offsets_of(const int *length, int n) {
    int32_t *offsets = twin_alloc(n + 1, sizeof *offsets);
    for (int i = 0; i < n; ++i) offsets[i + 1] = offsets[i] + length[i];
    return offsets;
}

static void open_problem(problem *p, const attention_case *c) {
    memset(p, 0, sizeof *p);
    tt_attention *t = &p->t;
    const bool self = c->kv_seqs == 0;
    *t = (tt_attention){.heads = c->heads,
        .d_kv = c->d_kv,
        .q_seqs = c->q_seqs,
        .kv_seqs = self ? c->q_seqs : c->kv_seqs,
        .causal = c->causal,
        .bidirectional = c->bidirectional,
        .buckets = 8,
        .max_distance = 20};
    t->q_offsets = offsets_of(c->q_length, c->q_seqs);
    t->kv_offsets = offsets_of(self ? c->q_length : c->kv_length, t->kv_seqs);
    p->q_rows = t->q_offsets[t->q_seqs];
    p->kv_rows = t->kv_offsets[t->kv_seqs];
    if (!self) {
        int32_t *source = twin_alloc(t->q_seqs, sizeof *source);
        for (int i = 0; i < t->q_seqs; ++i) source[i] = c->source[i];
        t->source = source;
    }
    const int inner = c->heads * c->d_kv;
    for (int x = 0; x < TENSORS; ++x) {
        p->rows[x] = x == BIAS ? t->buckets : x == Q ? p->q_rows : p->kv_rows;
        p->columns[x] = x == BIAS ? c->heads : inner;
        p->ld[x] = x == BIAS ? c->heads : inner + c->gap * (x + 1);
        // Scores of size about 2, so that the softmax is neither flat nor a maximum.
        p->in[x] = random_rows(p->rows[x], p->ld[x], 11 + x,
            x == BIAS ? 2.0f
            : x == V  ? 1.0f
                      : 2.5f / sqrtf(sqrtf((float)c->d_kv)));
        p->grad[x] = random_rows(p->rows[x], p->ld[x], 21 + x, 9);
        p->exact[x] = twin_alloc((size_t)p->rows[x] * p->columns[x], sizeof(double));
        p->exact_grad[x] = twin_alloc((size_t)p->rows[x] * p->columns[x], sizeof(double));
        for (int r = 0; r < p->rows[x]; ++r)
            for (int i = 0; i < p->columns[x]; ++i)
                p->exact[x][r * p->columns[x] + i] = (double)p->in[x][(size_t)r * p->ld[x] + i];
    }
    t->q = p->in[Q], t->k = p->in[K], t->v = p->in[V], t->bias = c->bias ? p->in[BIAS] : NULL;
    t->dq = p->grad[Q], t->dk = p->grad[K], t->dv = p->grad[V];
    t->dbias = c->bias ? p->grad[BIAS] : NULL;
    t->ldq = p->ld[Q], t->ldk = p->ld[K], t->ldv = p->ld[V];
    t->ldo = inner + 5 * c->gap;
    t->out = random_rows(p->q_rows, t->ldo, 31, 9);
    t->dout = random_rows(p->q_rows, t->ldo, 32, 1);
    t->lse = twin_alloc((size_t)p->q_rows * c->heads, sizeof(float));
    p->exact_out = twin_alloc((size_t)p->q_rows * inner, sizeof(double));
    p->exact_lse = twin_alloc((size_t)p->q_rows * c->heads, sizeof(double));
    uint32_t *example = twin_alloc(p->q_rows, sizeof *example),
             *position = twin_alloc(p->q_rows, sizeof *position);
    for (int r = 0; r < p->q_rows; ++r) example[r] = 100 + (uint32_t)r / 7, position[r] = (uint32_t)r % 7;
    uint64_t *key = twin_alloc(1, sizeof *key);
    *key = tt_key(5, TT_FOR_DROPOUT, 3);
    t->drop = (tt_dropout){.p = c->dropout, .key = key, .site = 40, .example = example, .position = position};
}

static void close_problem(problem *p) {
    tt_attention *t = &p->t;
    for (int x = 0; x < TENSORS; ++x)
        free(p->in[x]), free(p->grad[x]), free(p->exact[x]), free(p->exact_grad[x]);
    free((void *)t->q_offsets), free((void *)t->kv_offsets), free((void *)t->source);
    free((void *)t->drop.key), free((void *)t->drop.example), free((void *)t->drop.position);
    free(t->out), free((void *)t->dout), free(t->lse), free(p->exact_out), free(p->exact_lse);
}

// By the definition in kernels/ops.h: 16 bits of the key's own, out of the words of {block, site, position, example}.
static double keep_factor(const tt_dropout *drop, int head, int row, int key) {
    if (!(drop->p > 0)) return 1;
    const double nearest = floor(65536 * (double)drop->p + 0.5),
                 threshold = nearest < 65536 ? nearest : 65535;
    const uint32_t counter[4] = {(uint32_t)(key / 32 * 4 + key % 8 / 2), drop->site + (uint32_t)head,
        drop->position[row], drop->example[row]};
    const uint32_t philox_key[2] = {(uint32_t)*drop->key, (uint32_t)(*drop->key >> 32)};
    uint32_t word[4];
    tt_philox(counter, philox_key, word);
    const uint32_t bits = key % 2 ? word[key / 8 % 4] >> 16 : word[key / 8 % 4] & 0xffff;
    return bits < threshold ? 0 : 65536 / (65536 - threshold);
}

static double dot(const double *a, const double *b, int n) {
    double sum = 0;
    for (int i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

// Forward; with `backward` gradients too. Returns the loss sum(dout * out).
static double exact_pass(problem *p, bool backward) {
    const tt_attention *t = &p->t;
    const int d = t->d_kv, inner = t->heads * d;
    double loss = 0;
    double *probability = twin_alloc(p->kv_rows, sizeof(double)),
           *dp = twin_alloc(p->kv_rows, sizeof(double));
    double *dout = twin_alloc(d, sizeof(double));
    if (backward)
        for (int x = 0; x < TENSORS; ++x)
            memset(p->exact_grad[x], 0, (size_t)p->rows[x] * p->columns[x] * sizeof(double));
    for (int s = 0; s < t->q_seqs; ++s)
        for (int row = t->q_offsets[s]; row < t->q_offsets[s + 1]; ++row)
            for (int h = 0; h < t->heads; ++h) {
                const int source = t->source ? t->source[s] : s, at = row - t->q_offsets[s];
                const int first = t->kv_offsets[source], length = t->kv_offsets[source + 1] - first;
                const int keys = t->causal && at + 1 < length ? at + 1 : length;
                const double *q = p->exact[Q] + (size_t)row * inner + h * d;
                const double *k = p->exact[K] + (size_t)first * inner + h * d;
                const double *v = p->exact[V] + (size_t)first * inner + h * d;
                double *out = p->exact_out + (size_t)row * inner + h * d, total = 0, delta = 0;
                for (int j = 0; j < keys; ++j) {
                    double score = dot(q, k + (size_t)j * inner, d);
                    int bucket = tt_relative_bucket(j - at, t->bidirectional, t->buckets, t->max_distance);
                    if (t->bias) score += p->exact[BIAS][bucket * t->heads + h];
                    probability[j] = exp(score);
                    total += probability[j];
                }
                p->exact_lse[row * t->heads + h] = log(total);
                for (int i = 0; i < d; ++i)
                    out[i] = 0, dout[i] = (double)((const float *)t->dout)[(size_t)row * t->ldo + h * d + i];
                for (int j = 0; j < keys; ++j) {
                    const double keep = keep_factor(&t->drop, h, row, j);
                    probability[j] /= total;
                    dp[j] = keep * dot(dout, v + (size_t)j * inner, d);
                    delta += probability[j] * dp[j];
                    for (int i = 0; i < d; ++i) out[i] += keep * probability[j] * v[(size_t)j * inner + i];
                }
                loss += dot(out, dout, d);
                for (int j = 0; backward && j < keys; ++j) {
                    const double keep = keep_factor(&t->drop, h, row, j),
                                 ds = probability[j] * (dp[j] - delta);
                    const size_t key = (size_t)(first + j) * inner + h * d;
                    int bucket = tt_relative_bucket(j - at, t->bidirectional, t->buckets, t->max_distance);
                    p->exact_grad[BIAS][bucket * t->heads + h] += ds;
                    for (int i = 0; i < d; ++i) {
                        p->exact_grad[Q][(size_t)row * inner + h * d + i] += ds * k[(size_t)j * inner + i];
                        p->exact_grad[K][key + i] += ds * q[i];
                        p->exact_grad[V][key + i] += keep * probability[j] * dout[i];
                    }
                }
            }
    free(probability), free(dp), free(dout);
    return loss;
}

static float *packed(const float *x, int rows, int columns, int ld) {
    float *out = twin_alloc((size_t)rows * columns, sizeof *out);
    for (int r = 0; r < rows; ++r)
        memcpy(out + (size_t)r * columns, x + (size_t)r * ld, (size_t)columns * sizeof *out);
    return out;
}

static void expect_rows(twin_kind kind, const char *name, const char *tensor, const float *got,
    const double *want, int rows, int columns, int ld) {
    char what[128];
    snprintf(what, sizeof what, "%s: %s", name, tensor);
    float *flat = packed(got, rows, columns, ld);
    twin_expect(kind, what, flat, want, (size_t)rows * columns);
    free(flat);
}

static void run_kernels(problem *p, int threads) {
    tt_device *device;
    assert_int_equal(tt_device_open(&device, "cpu", TT_FP32, threads), TT_OK);
    assert_int_equal(device->ops->attention_fwd(device, &p->t), TT_OK);
    assert_int_equal(device->ops->attention_bwd(device, &p->t), TT_OK);
    tt_device_close(device);
}

static void matches_float64(void **state) {
    (void)state;
    static const char *const names[TENSORS] = {"dq", "dk", "dv", "dbias"};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; ++c) {
        problem p;
        open_problem(&p, &cases[c]);
        float *before = packed(p.grad[BIAS], p.rows[BIAS], p.columns[BIAS], p.ld[BIAS]);
        exact_pass(&p, true);
        run_kernels(&p, 2);
        const int inner = p.t.heads * p.t.d_kv;
        expect_rows(TWIN_FP32, cases[c].name, "out", p.t.out, p.exact_out, p.q_rows, inner, p.t.ldo);
        expect_rows(TWIN_FP32, cases[c].name, "lse", p.t.lse, p.exact_lse, p.q_rows, p.t.heads, p.t.heads);
        for (int i = 0; i < p.rows[BIAS] * p.columns[BIAS]; ++i)
            p.exact_grad[BIAS][i] += (double)before[i]; // +=
        for (int x = 0; x < (cases[c].bias ? TENSORS : BIAS); ++x)
            // A softmax over one key has no gradient: its dq and dk are exact zeros.
            expect_rows(TWIN_FP32_GRAD, cases[c].name, names[x], p.grad[x], p.exact_grad[x], p.rows[x],
                p.columns[x], p.ld[x]);
        free(before);
        close_problem(&p);
    }
}

// The float64 gradients are themselves right: central differences of the float64 loss, every element.
static void float64_matches_finite_differences(void **state) {
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; ++c) {
        problem p;
        open_problem(&p, &cases[c]);
        exact_pass(&p, true);
        for (int x = 0; x < (cases[c].bias ? TENSORS : BIAS); ++x) {
            const int n = p.rows[x] * p.columns[x], step = 1 + n / 24;
            double *analytic = twin_alloc(n / step + 1, sizeof *analytic);
            float *numeric = twin_alloc(n / step + 1, sizeof *numeric);
            int m = 0;
            for (int i = 0; i < n; i += step, ++m) {
                const double was = p.exact[x][i], h = 1e-5;
                analytic[m] = p.exact_grad[x][i];
                p.exact[x][i] = was + h;
                double up = exact_pass(&p, false);
                p.exact[x][i] = was - h;
                numeric[m] = (float)((up - exact_pass(&p, false)) / (2 * h));
                p.exact[x][i] = was;
            }
            double size = 0;
            for (int i = 0; i < m; ++i) size += fabs(analytic[i]);
            if (size > 0)
                twin_expect(TWIN_FINITE, cases[c].name, numeric, analytic, m);
            else
                for (int i = 0; i < m; ++i) assert_true(fabs((double)numeric[i]) < 1e-9);
            free(analytic), free(numeric);
        }
        close_problem(&p);
    }
}

static void threads_do_not_change_bits(void **state) {
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; ++c) {
        problem a, b;
        open_problem(&a, &cases[c]);
        open_problem(&b, &cases[c]);
        run_kernels(&a, 1);
        run_kernels(&b, 2);
        assert_memory_equal(a.t.out, b.t.out, (size_t)a.q_rows * a.t.ldo * sizeof(float));
        assert_memory_equal(a.t.lse, b.t.lse, (size_t)a.q_rows * a.t.heads * sizeof(float));
        for (int x = 0; x < TENSORS; ++x) // gaps between rows included: nobody writes there
            assert_memory_equal(a.grad[x], b.grad[x], (size_t)a.rows[x] * a.ld[x] * sizeof(float));
        close_problem(&a);
        close_problem(&b);
    }
}

static void gaps_between_rows_stay(void **state) {
    (void)state;
    problem a, b;
    open_problem(&a, &cases[1]);
    open_problem(&b, &cases[1]);
    run_kernels(&a, 2);
    const int inner = a.t.heads * a.t.d_kv;
    assert_true(a.t.ldo > inner);
    for (int r = 0; r < a.q_rows; ++r)
        assert_memory_equal((const float *)a.t.out + (size_t)r * a.t.ldo + inner,
            (const float *)b.t.out + (size_t)r * a.t.ldo + inner, (a.t.ldo - inner) * sizeof(float));
    for (int x = Q; x <= V; ++x)
        for (int r = 0; r < a.rows[x]; ++r)
            assert_memory_equal(a.grad[x] + (size_t)r * a.ld[x] + inner,
                b.grad[x] + (size_t)r * a.ld[x] + inner, (a.ld[x] - inner) * sizeof(float));
    close_problem(&a);
    close_problem(&b);
}

static void unread_source_has_zero_gradient(void **state) {
    (void)state;
    problem p;
    open_problem(&p, &cases[5]); // nobody reads source 1
    run_kernels(&p, 2);
    const int inner = p.t.heads * p.t.d_kv;
    for (int r = p.t.kv_offsets[1]; r < p.t.kv_offsets[2]; ++r)
        for (int i = 0; i < inner; ++i) {
            assert_true(((const float *)p.t.dk)[r * p.t.ldk + i] == 0);
            assert_true(((const float *)p.t.dv)[r * p.t.ldv + i] == 0);
        }
    close_problem(&p);
}

// Uniform attention over values of 1: an output is the mean of the keep factors.
static void dropout_has_the_right_rate(void **state) {
    (void)state;
    const attention_case c = {
        .name = "rate", .heads = 4, .d_kv = 1, .q_seqs = 1, .q_length = {400}, .dropout = 0.1f};
    problem p;
    open_problem(&p, &c);
    memset(p.in[Q], 0, (size_t)p.q_rows * p.ld[Q] * sizeof(float));
    for (int i = 0; i < p.kv_rows * p.ld[V]; ++i) p.in[V][i] = 1;
    run_kernels(&p, 2);
    double mean = 0, n = 4.0 * 400;
    for (int i = 0; i < (int)n; ++i) mean += (double)((const float *)p.t.out)[i] / n;
    // 640,000 draws: the standard error of the mean is sqrt(0.1 / 0.9 / 640000) = 0.00042.
    assert_true(fabs(mean - 1) < 5 * 0.00042);
    double spread = 0;
    for (int i = 0; i < (int)n; ++i)
        spread +=
            ((double)((const float *)p.t.out)[i] - mean) * ((double)((const float *)p.t.out)[i] - mean) / n;
    assert_true(fabs(spread / (0.1 / 0.9 / 400) - 1) < 0.2); // rows and heads draw apart
    close_problem(&p);
}

// p * 65536 to the nearest integer: 0.1 is 6553.6 of them; what is below half of one drops nothing.
static void dropout_has_16_bits(void **state) {
    (void)state;
    const struct {
        float p;
        uint32_t threshold;
    } known[] = {{1e-6f, 0}, {0.00000762939453125f, 1}, {0.1f, 6554}, {0.5f, 32768}, {0.9999f, 65529},
        {0.99999f, 65535}, {0.99999994f, 65535}};
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        assert_int_equal(tt_attention_threshold(known[i].p), known[i].threshold);
}

static void expect_refused(tt_attention *t, const char *word) {
    tt_device *device;
    assert_int_equal(tt_device_open(&device, "cpu", TT_FP32, 1), TT_OK);
    assert_int_equal(device->ops->attention_fwd(device, t), TT_ERR_INPUT);
    assert_non_null(strstr(tt_error_message(), word));
    assert_int_equal(device->ops->attention_bwd(device, t), TT_ERR_INPUT);
    tt_device_close(device);
}

static void bad_input_is_refused(void **state) {
    (void)state;
    problem p;
    open_problem(&p, &cases[5]);
    tt_attention t = p.t;
    ((int32_t *)t.kv_offsets)[2] = t.kv_offsets[1];
    expect_refused(&t, "key sequence 1 has length 0");
    ((int32_t *)t.kv_offsets)[2] = t.kv_offsets[1] + 6;
    ((int32_t *)t.source)[3] = 4;
    expect_refused(&t, "source 4 of 4");
    t.source = NULL;
    expect_refused(&t, "without a source");
    t = p.t;
    ((int32_t *)t.source)[3] = 3;
    t.drop.p = NAN;
    expect_refused(&t, "dropout");
    t.drop.p = 0, t.q_seqs = 0;
    expect_refused(&t, "no query sequences");
    close_problem(&p);
}

static void nan_comes_through(void **state) {
    (void)state;
    problem p;
    open_problem(&p, &cases[1]);
    p.in[K][(size_t)2 * p.ld[K]] = NAN; // in the second sequence
    run_kernels(&p, 1);
    assert_true(isnan(((const float *)p.t.out)[(size_t)1 * p.t.ldo]));
    assert_false(isnan(((const float *)p.t.out)[0]));
    close_problem(&p);
}

// The formula of T5Attention._relative_position_bucket, evaluated in fp32 with NumPy.
static void buckets_are_those_of_hugging_face(void **state) {
    (void)state;
    static const struct {
        int relative, both, causal;
    } known[] = {{0, 0, 0}, {1, 17, 0}, {-1, 1, 1}, {7, 23, 0}, {-7, 7, 7}, {8, 24, 0}, {-8, 8, 8},
        {-11, 8, 11}, {-12, 9, 12}, {-15, 9, 15}, {-16, 10, 16}, {-22, 10, 18}, {-23, 11, 18}, {-31, 11, 21},
        {-32, 12, 21}, {-45, 12, 23}, {-46, 13, 24}, {-63, 13, 26}, {-64, 14, 26}, {64, 30, 0}, {-90, 14, 29},
        {-91, 15, 29}, {-127, 15, 31}, {-128, 15, 31}, {128, 31, 0}, {-5000, 15, 31}, {5000, 31, 0}};
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i) {
        assert_int_equal(tt_relative_bucket(known[i].relative, true, 32, 128), known[i].both);
        assert_int_equal(tt_relative_bucket(known[i].relative, false, 32, 128), known[i].causal);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_float64),
        cmocka_unit_test(float64_matches_finite_differences),
        cmocka_unit_test(threads_do_not_change_bits),
        cmocka_unit_test(gaps_between_rows_stay),
        cmocka_unit_test(unread_source_has_zero_gradient),
        cmocka_unit_test(dropout_has_the_right_rate),
        cmocka_unit_test(dropout_has_16_bits),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(nan_comes_through),
        cmocka_unit_test(buckets_are_those_of_hugging_face),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
