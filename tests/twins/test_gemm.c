// Matrix products against float64: all transpositions, odd sizes, row distances, alpha and beta, both
// precisions; the same bits for any number of threads.
#include "twin.h"

typedef struct matrix {
    int rows, columns, ld;
    float *x;
    uint16_t *narrow; // the same, or NULL
} matrix;

static matrix make(int rows, int columns, int gap, uint64_t stream) {
    matrix m = {rows, columns, columns + gap, NULL, NULL};
    m.x = twin_normal((size_t)rows * m.ld, 1, stream);
    return m;
}

// x becomes what bf16 can hold.
static const void *operand(matrix *m, tt_precision precision) {
    if (precision == TT_FP32) return m->x;
    if (!m->narrow) m->narrow = twin_narrow(m->x, (size_t)m->rows * m->ld);
    return m->narrow;
}

static double at(const matrix *m, bool trans, int i, int j) {
    return trans ? m->x[(size_t)j * m->ld + i] : m->x[(size_t)i * m->ld + j];
}

static void naive(double *c, const matrix *a, bool ta, const matrix *b, bool tb, int m, int n, int k,
    double alpha, double beta, const matrix *old) {
    for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j) {
            double sum = 0;
            for (int l = 0; l < k; ++l) sum += at(a, ta, i, l) * at(b, tb, l, j);
            c[(size_t)i * n + j] = alpha * sum + (beta == 0 ? 0 : beta * at(old, false, i, j));
        }
}

// With relu the same numbers, but 0 for negative ones: `c` is what came without it, `old` what stood there before.
static void check_relu(tt_device *device, tt_gemm p, const matrix *old, const char *what) {
    const float *c = p.c;
    float *clipped = twin_copy(old->x, (size_t)p.m * old->ld),
          *expected = twin_copy(c, (size_t)p.m * old->ld);
    for (int i = 0; i < p.m; ++i)
        for (int j = 0; j < p.n; ++j)
            if (expected[(size_t)i * old->ld + j] < 0) expected[(size_t)i * old->ld + j] = 0;
    p.c = clipped, p.relu = true;
    twin_ok(device->ops->gemm(device, &p));
    twin_same_bits(what, expected, clipped, (size_t)p.m * old->ld, sizeof *clipped);
    free(clipped), free(expected);
}

// With a C of bf16: `expected` but for its rounding; nothing between the rows is touched; with relu the same numbers, but 0 for
// negative ones.
static void check_narrow(
    tt_device *device, tt_gemm p, const matrix *old, const double *expected, const char *what) {
    const size_t n = (size_t)p.m * old->ld;
    uint16_t *c = twin_alloc(n, sizeof *c), *clipped = twin_alloc(n, sizeof *clipped);
    memcpy(c, old->narrow, n * sizeof *c);
    memcpy(clipped, old->narrow, n * sizeof *c);
    p.c_fp32 = false, p.c = c;
    if (p.beta == 0) c[0] = 0x7fc0; // NaN, which must not be read
    twin_ok(device->ops->gemm(device, &p));
    p.relu = true, p.c = clipped;
    twin_ok(device->ops->gemm(device, &p));
    float *wide = twin_widen(c, n), *wide_clipped = twin_widen(clipped, n);
    twin_expect_rows(TWIN_BF16, what, wide, old->ld, expected, p.m, p.n);
    for (int i = 0; i < p.m; ++i)
        for (int j = 0; j < old->ld; ++j) {
            const size_t at = (size_t)i * old->ld + j;
            if (j >= p.n)
                assert_true(c[at] == old->narrow[at] && clipped[at] == c[at]);
            else
                assert_true(wide_clipped[at] == (wide[at] < 0 ? 0 : wide[at]));
        }
    free(c), free(clipped), free(wide), free(wide_clipped);
}

static void check(tt_precision precision, int m, int n, int k, int gap, float alpha, float beta) {
    for (int form = 0; form < 4; ++form) {
        const bool ta = form & 1, tb = form >> 1;
        matrix a = ta ? make(k, m, gap, 1) : make(m, k, gap, 1),
               b = tb ? make(n, k, gap, 2) : make(k, n, gap, 2);
        matrix old = make(m, n, gap, 3);
        const void *a_operand = operand(&a, precision), *b_operand = operand(&b, precision);
        operand(&old, precision);
        double *expected = twin_alloc((size_t)m * n, sizeof *expected);
        naive(expected, &a, ta, &b, tb, m, n, k, alpha, beta, &old);
        float *first = NULL;
        for (int run = 0; run < 3; ++run) {
            const int threads = (int[]){1, 2, 3}[run];
            tt_device *device;
            twin_ok(tt_device_open(&device, "cpu", precision, threads));
            float *c = twin_copy(old.x, (size_t)m * old.ld);
            if (beta == 0)
                for (int i = 0; i < m; ++i) c[(size_t)i * old.ld] = NAN; // must not be read
            tt_gemm p = {.trans_a = ta,
                .trans_b = tb,
                .m = m,
                .n = n,
                .k = k,
                .alpha = alpha,
                .beta = beta,
                .a = a_operand,
                .b = b_operand,
                .c = c,
                .c_fp32 = true,
                .lda = a.ld,
                .ldb = b.ld,
                .ldc = old.ld};
            twin_ok(device->ops->gemm(device, &p));
            char what[128];
            snprintf(what, sizeof what, "gemm %s m %d n %d k %d trans %d %d alpha %g beta %g threads %d",
                precision == TT_BF16 ? "bf16" : "fp32", m, n, k, ta, tb, (double)alpha, (double)beta,
                threads);
            twin_expect_rows(precision == TT_BF16 ? TWIN_BF16 : TWIN_FP32, what, c, old.ld, expected, m, n);
            for (int i = 0; i < m; ++i) // what lies between the rows is not touched
                twin_same_bits(
                    what, c + (size_t)i * old.ld + n, old.x + (size_t)i * old.ld + n, gap, sizeof *c);
            check_relu(device, p, &old, what);
            if (precision == TT_BF16) check_narrow(device, p, &old, expected, what);
            if (first) twin_same_bits(what, first, c, (size_t)m * old.ld, sizeof *c);
            if (!first)
                first = c;
            else
                free(c);
            tt_device_close(device);
        }
        free(first), free(a.x), free(b.x), free(old.x), free(expected);
        free(a.narrow), free(b.narrow), free(old.narrow);
    }
}

static void all_sizes(tt_precision precision) {
    check(precision, 1, 1, 1, 0, 1, 0);
    check(precision, 1, 37, 5, 3, 1, 0);
    check(precision, 37, 1, 64, 0, -0.5f, 1);
    check(precision, 13, 17, 31, 1, 2, 0.5f);
    check(precision, 33, 96, 257, 0, 1, 1);
    check(precision, 300, 129, 67, 5, 1, 0);     // several tiles
    check(precision, 31, 41, 1543, 0, 0.25f, 1); // k cut in parts
    check(precision, 64, 520, 128, 0, 1, 0);
    check(precision, 43, 48, 1543, 3, 0.5f, 0.5f); // weight gradients: the sum over k is long
    check(precision, 71, 144, 1030, 0, 1, 0);
    for (int k = 1023; k <= 1025; ++k) check(precision, 40, 32, k, 0, 1, 0.5f); // k in one part, in two
    for (int k = 255; k <= 257; ++k) check(precision, 9, 33, k, 0, 1, 0);
    check(precision, 4, 3, 262145, 0, 0.5f, 1); // narrow, with a k as long as the largest vocabularies
    for (int n = 511; n <= 513; ++n) check(precision, 3, n, 20, 0, 1, 0), check(precision, n, 3, 20, 0, 1, 0);
    for (int m = 16; m <= 17; ++m) check(precision, m, 70, 67, 1, 0.5f, 1); // few rows, and more
    for (int m = 32; m <= 33; ++m)
        check(precision, m, 16, 64, 0, 1, 0), check(precision, 2 * m, 16, 63, 0, 1, 0);
    // Steps of decoding: their rows; tiles of 64, of more, and of as many columns as fit.
    for (int m = 256; m <= 257; ++m)
        check(precision, m, 65, 600, 0, 1, 0), check(precision, m, 64, 600, 0, 1, 0.5f);
    check(precision, 32, 70, 64, 3, 0.5f, 0), check(precision, 64, 70, 64, 3, 1, 0);
    for (int n = 1024; n <= 1025; ++n) check(precision, 32, n, 64, 0, 1, 0);
    for (int n = 8192; n <= 8193; ++n) check(precision, 32, n, 1, 0, 1, 0);
}

static void fp32_against_float64(void **state) {
    (void)state;
    all_sizes(TT_FP32);
}

// Of the few rows of a step of decoding each has the bits that it has alone; k in one sum, and in two.
static void few_rows_have_bits_of_their_own(void **state) {
    (void)state;
    enum { M = 16, N = 71 };
    for (int k = 4095; k <= 4097; ++k) {
        const matrix a = make(M, k, 0, 1), b = make(N, k, 0, 2);
        float together[M * N], alone[N];
        tt_device *device;
        twin_ok(tt_device_open(&device, "cpu", TT_FP32, 2));
        tt_gemm p = {.trans_b = true, .n = N, .k = k, .alpha = 1, .b = b.x, .lda = k, .ldb = k, .ldc = N};
        p.m = M, p.a = a.x, p.c = together;
        twin_ok(device->ops->gemm(device, &p));
        for (int i = 0; i < M; ++i) {
            p.m = 1, p.a = a.x + (size_t)i * k, p.c = alone;
            twin_ok(device->ops->gemm(device, &p));
            twin_same_bits("a row alone", together + i * N, alone, N, sizeof *alone);
        }
        tt_device_close(device);
        free(a.x), free(b.x);
    }
}

// Some CPUs have no bf16 product in oneDNN; then opening a device says so.
static bool has_bf16(void) {
    const bool there = tt_cpu_bf16() != TT_BF16_NONE;
    tt_device *device;
    const tt_status status = tt_device_open(&device, "cpu", TT_BF16, 1);
    if (there) {
        twin_ok(status);
        tt_device_close(device);
        return true;
    }
    twin_refused(status, TT_ERR_UNSUPPORTED, "precision fp32 works");
    print_message("skipped: %s\n", tt_error_message());
    return false;
}

// `auto` takes bf16 where the CPU has instructions for it.
static void auto_takes_what_is_fast(void **state) {
    (void)state;
    tt_device *device;
    twin_ok(tt_device_open(&device, "cpu", TT_PRECISION_AUTO, 1));
    assert_int_equal(device->precision, tt_cpu_bf16() == TT_BF16_FAST ? TT_BF16 : TT_FP32);
    tt_device_close(device);
}

static void bf16_against_float64(void **state) {
    (void)state;
    if (!has_bf16()) skip();
    all_sizes(TT_BF16);
}

// Inputs that bf16 holds exactly leave only fp32 sums to differ: what is rounded is the input, not the sum.
static void bf16_sums_in_fp32(void **state) {
    (void)state;
    if (!has_bf16()) skip();
    const int m = 45, n = 70, k = 1100;
    matrix a = make(m, k, 0, 4), b = make(k, n, 0, 5), none = {0};
    for (int i = 0; i < m * k; ++i) a.x[i] = (float)((int)(a.x[i] * 16)) / 16;
    for (int i = 0; i < k * n; ++i) b.x[i] = (float)((int)(b.x[i] * 16)) / 16;
    double *expected = twin_alloc((size_t)m * n, sizeof *expected);
    const void *a_operand = operand(&a, TT_BF16), *b_operand = operand(&b, TT_BF16);
    naive(expected, &a, false, &b, false, m, n, k, 1, 0, &none);
    tt_device *device;
    twin_ok(tt_device_open(&device, "cpu", TT_BF16, 2));
    float *c = twin_alloc((size_t)m * n, sizeof *c);
    tt_gemm p = {.m = m,
        .n = n,
        .k = k,
        .alpha = 1,
        .a = a_operand,
        .b = b_operand,
        .c = c,
        .c_fp32 = true,
        .lda = k,
        .ldb = n,
        .ldc = n};
    twin_ok(device->ops->gemm(device, &p));
    twin_expect_rows(TWIN_FP32, "bf16 with exact inputs", c, n, expected, m, n);
    tt_device_close(device);
    free(a.x), free(b.x), free(a.narrow), free(b.narrow), free(c), free(expected);
}

// A batch: each product as it is alone, to the bit; nothing between the results is touched. B is one for all.
static void batches(void **state) {
    (void)state;
    enum { BATCH = 3, M = 70, N = 33, K = 1030, A = K * M + 5, C = M * N + 7 };
    float *a = twin_normal(BATCH * A, 1, 1), *b = twin_normal(K * N, 1, 2),
          *old = twin_normal(BATCH * C, 1, 3);
    uint16_t *narrow_a = twin_narrow(a, BATCH * A), *narrow_b = twin_narrow(b, K * N);
    for (int precision = TT_FP32; precision <= (has_bf16() ? TT_BF16 : TT_FP32); ++precision)
        for (int threads = 1; threads <= 2; ++threads) {
            tt_device *device;
            twin_ok(tt_device_open(&device, "cpu", (tt_precision)precision, threads));
            float *together = twin_copy(old, BATCH * C), *alone = twin_copy(old, BATCH * C);
            tt_gemm p = {.trans_a = true,
                .m = M,
                .n = N,
                .k = K,
                .alpha = 0.5f,
                .beta = 1,
                .a = precision == TT_BF16 ? (void *)narrow_a : a,
                .b = precision == TT_BF16 ? (void *)narrow_b : b,
                .c = together,
                .c_fp32 = true,
                .lda = M,
                .ldb = N,
                .ldc = N,
                .batch = BATCH,
                .stride_a = A,
                .stride_c = C};
            twin_ok(device->ops->gemm(device, &p));
            for (int i = 0; i < BATCH; ++i) {
                p.a = precision == TT_BF16 ? (void *)(narrow_a + i * A) : a + i * A;
                p.c = alone + i * C, p.batch = i % 2; // 0 and 1 are the same
                twin_ok(device->ops->gemm(device, &p));
            }
            twin_same_bits("batch", together, alone, BATCH * C, sizeof *alone);
            assert_true(memcmp(together + 2 * C, old + 2 * C, sizeof *old) != 0);
            free(together), free(alone);
            tt_device_close(device);
        }
    free(a), free(b), free(old), free(narrow_a), free(narrow_b);
}

// The caller's scratch must survive a product, and a stream of new shapes must not run out of anything.
static void scratch_and_many_shapes(void **state) {
    (void)state;
    const bool bf16 = has_bf16();
    for (int precision = TT_FP32; precision <= (bf16 ? TT_BF16 : TT_FP32); ++precision) {
        tt_device *device;
        twin_ok(tt_device_open(&device, "cpu", (tt_precision)precision, 1));
        enum { MAX = 125 };
        float *scratch = tt_device_scratch(device, 1000 * sizeof *scratch);
        for (int i = 0; i < 1000; ++i) scratch[i] = (float)i;
        float *ones = twin_alloc(MAX * MAX, sizeof *ones), *c = twin_alloc(MAX * MAX, sizeof *c);
        for (int i = 0; i < MAX * MAX; ++i) ones[i] = 1;
        uint16_t *narrow = twin_narrow(ones, MAX * MAX);
        const void *operand = precision == TT_BF16 ? (void *)narrow : ones;
        for (int n = 1; n < MAX; ++n)
            for (int shape = 0; shape < 9; ++shape) {
                const int m = (int[]){5, 40, 100}[shape / 3], k = (int[]){10, 70, 124}[shape % 3];
                tt_gemm p = {.m = m,
                    .n = n,
                    .k = k,
                    .alpha = 1,
                    .a = operand,
                    .b = operand,
                    .c = c,
                    .c_fp32 = true,
                    .lda = k,
                    .ldb = n,
                    .ldc = n};
                twin_ok(device->ops->gemm(device, &p));
                for (int i = 0; i < m * n; ++i) assert_true(c[i] == (float)k);
            }
        for (int i = 0; i < 1000; ++i) assert_true(scratch[i] == (float)i);
        assert_ptr_equal(scratch, tt_device_scratch(device, 8));
        tt_device_close(device);
        free(ones), free(narrow), free(c);
    }
}

static void bad_input_is_refused(void **state) {
    (void)state;
    tt_device *device = twin_device(1);
    float x[4] = {0};
    tt_gemm good = {.m = 2, .n = 2, .k = 2, .alpha = 1, .a = x, .b = x, .c = x, .lda = 2, .ldb = 2, .ldc = 2};
    tt_gemm p = good;
    p.lda = 1;
    twin_refused(device->ops->gemm(device, &p), TT_ERR_INPUT, "row distances 1, 2, 2");
    p = good, p.m = -1;
    twin_refused(device->ops->gemm(device, &p), TT_ERR_INPUT, "m -1");
    p = good, p.k = 0;
    twin_refused(device->ops->gemm(device, &p), TT_ERR_INPUT, "k 0");
    p = good, p.batch = -1;
    twin_refused(device->ops->gemm(device, &p), TT_ERR_INPUT, "a batch of -1 products");
    p = good, p.m = 0;
    twin_ok(device->ops->gemm(device, &p));
    tt_device_close(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fp32_against_float64),
        cmocka_unit_test(auto_takes_what_is_fast),
        cmocka_unit_test(few_rows_have_bits_of_their_own),
        cmocka_unit_test(bf16_against_float64),
        cmocka_unit_test(bf16_sums_in_fp32),
        cmocka_unit_test(batches),
        cmocka_unit_test(scratch_and_many_shapes),
        cmocka_unit_test(bad_input_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
