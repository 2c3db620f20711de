// Matrix products and the LM head, CUDA against CPU.
#include "tests/cuda/lmhead_pair.h"

static void gemm_with(const pair *p, bool trans_a, bool trans_b, int m, int n, int k, float beta, bool c_fp32,
    int pad, bool relu) {
    const int lda = (trans_a ? m : k) + pad, ldb = (trans_b ? k : n) + pad, ldc = n + pad;
    tensor a = tensor_operand(p, (size_t)(trans_a ? k : m) * lda, 1, 1),
           b = tensor_operand(p, (size_t)(trans_b ? n : k) * ldb, 1, 2),
           c = tensor_of(p, twin_normal((size_t)m * ldc, 1, 3), (size_t)m * ldc, !c_fp32);
    for (int side = 0; side < 2; ++side) {
        tt_device *device = side ? p->gpu : p->cpu;
        twin_ok(device->ops->gemm(device, &(tt_gemm){.trans_a = trans_a,
                                              .trans_b = trans_b,
                                              .m = m,
                                              .n = n,
                                              .k = k,
                                              .alpha = 0.5f,
                                              .beta = beta,
                                              .a = side ? a.gpu : a.cpu,
                                              .b = side ? b.gpu : b.cpu,
                                              .c = side ? c.gpu : c.cpu,
                                              .c_fp32 = c_fp32,
                                              .relu = relu,
                                              .lda = lda,
                                              .ldb = ldb,
                                              .ldc = ldc}));
    }
    tensor_compare(p, "product", &c);
    int zeros = 0;
    for (int i = 0; i < m * n; ++i) zeros += c.cpu[i / n * ldc + i % n] == 0;
    if (relu) assert_true(zeros > m * n / 4);
    tensor_close(p, &a), tensor_close(p, &b), tensor_close(p, &c);
}

static void gemm(
    const pair *p, bool trans_a, bool trans_b, int m, int n, int k, float beta, bool c_fp32, int pad) {
    gemm_with(p, trans_a, trans_b, m, n, k, beta, c_fp32, pad, false);
}

// `gap` elements after each matrix; B is one for all where `shared`.
static void batch_of(const pair *p, bool trans_a, bool trans_b, int n, int gap, bool shared, bool relu) {
    enum { BATCH = 3, M = 12, K = 40 };
    const int64_t size_a = M * K + gap, size_b = shared ? 0 : (int64_t)K * n + gap,
                  size_c = (int64_t)M * n + gap;
    tensor a = tensor_operand(p, (size_t)(BATCH * size_a), 1, 1),
           b = tensor_operand(p, (size_t)(BATCH * size_b + K * n), 1, 2),
           c = tensor_of(p, twin_normal((size_t)(BATCH * size_c), 1, 3), (size_t)(BATCH * size_c), relu);
    for (int side = 0; side < 2; ++side) {
        tt_device *device = side ? p->gpu : p->cpu;
        twin_ok(device->ops->gemm(device, &(tt_gemm){.trans_a = trans_a,
                                              .trans_b = trans_b,
                                              .m = M,
                                              .n = n,
                                              .k = K,
                                              .alpha = 0.5f,
                                              .beta = relu ? 0 : 1,
                                              .a = side ? a.gpu : a.cpu,
                                              .b = side ? b.gpu : b.cpu,
                                              .c = side ? c.gpu : c.cpu,
                                              .c_fp32 = !relu,
                                              .relu = relu,
                                              .lda = trans_a ? M : K,
                                              .ldb = trans_b ? K : n,
                                              .ldc = n,
                                              .batch = BATCH,
                                              .stride_a = size_a,
                                              .stride_b = size_b,
                                              .stride_c = size_c}));
    }
    tensor_compare(p, "batch of products", &c);
    tensor_close(p, &a), tensor_close(p, &b), tensor_close(p, &c);
}

// A row with NaN among its inputs is NaN, also with ReLU, and no other is. cusim's library can be told to lose NaN.
static void nan_comes_through(tt_precision precision) {
    enum { M = 3, N = 24, K = 16 };
    for (int loses = 0; loses < 2; ++loses) {
        if (loses) setenv("CUSIM_GEMM", "nan", 1);
        pair p = pair_open(precision);
        float *inputs = twin_normal((size_t)M * K, 1, 1);
        inputs[K + 5] = NAN;
        tensor a = tensor_of(&p, inputs, (size_t)M * K, true), b = tensor_operand(&p, (size_t)K * N, 1, 2),
               c = tensor_operand(&p, (size_t)M * N, 1, 3);
        for (int again = 0; again < 2; ++again)
            for (int side = 0; side < 2; ++side) {
                tt_device *device = side ? p.gpu : p.cpu;
                twin_ok(device->ops->gemm(device, &(tt_gemm){.m = M,
                                                      .n = N,
                                                      .k = K,
                                                      .alpha = 1,
                                                      .a = side ? a.gpu : a.cpu,
                                                      .b = side ? b.gpu : b.cpu,
                                                      .c = side ? c.gpu : c.cpu,
                                                      .relu = true,
                                                      .lda = K,
                                                      .ldb = N,
                                                      .ldc = N}));
                float *got = side ? tensor_fetch(&p, &c) : c.cpu;
                for (int i = 0; i < M * N; ++i)
                    if (isnan(got[i]) != (i / N == 1) || got[i] < 0)
                        fail_msg("%s, row %d: expected %s, got %g", device->name, i / N,
                            i / N == 1 ? "nan" : "no nan", (double)got[i]);
                if (side) free(got);
            }
        tensor_close(&p, &a), tensor_close(&p, &b), tensor_close(&p, &c);
        pair_close(&p);
        unsetenv("CUSIM_GEMM");
    }
}

// In two operations and fused: each as on the CPU, and both ways the same bits.
static void lmhead(const pair *p, int rows, int d, int vocab, double spread) {
    lmhead_pair apart = lmhead_pair_open(p, rows, d, vocab, spread),
                fused = lmhead_pair_open(p, rows, d, vocab, spread);
    lmhead_pair_check(p, &apart, false);
    lmhead_pair_check(p, &fused, true);
    for (int i = 0; i < LMHEAD_OUTPUTS; ++i) {
        float *a = tensor_fetch(p, &apart.out[i]), *b = tensor_fetch(p, &fused.out[i]);
        twin_same_bits(lmhead_outputs[i], a, b, apart.out[i].n, sizeof *a);
        free(a), free(b);
    }
    lmhead_pair_close(p, &apart), lmhead_pair_close(p, &fused);
}

static void with(tt_precision precision) {
    pair p = pair_open(precision);
    for (int i = 0; i < 4; ++i) {
        gemm_with(&p, i & 1, i >> 1, 33, 20, 40, 0, false, 1, true);
        gemm(&p, i & 1, i >> 1, 1, 1, 1, 0, false, 0);
        gemm(&p, i & 1, i >> 1, 13, 7, 29, 0, true, 3);
        gemm(&p, i & 1, i >> 1, 40, 33, 64, 1, true, 0);
        gemm(&p, i & 1, i >> 1, 5, 72, 16, 1, false, 8);
        batch_of(&p, i & 1, i >> 1, 16, 0, i == 1, false);
        batch_of(&p, i & 1, i >> 1, 16, 8, i == 1, false); // other distances
        batch_of(&p, i & 1, i >> 1, 16, 8, false, true);
        batch_of(&p, i & 1, i >> 1, 16, 3, i == 2, false); // aligned to one element
    }
    lmhead(&p, 1, 1, 1, 1);
    lmhead(&p, 17, 31, 101, 1);
    lmhead(&p, 70, 16, 2053, 1);
    lmhead(&p, 13, 24, 1032, 100); // large logits: only a stable softmax survives
    lmhead(&p, 2, 3, 32768, 1);    // a row that is held in registers, and one that is not
    lmhead(&p, 2, 3, 32769, 1);
    pair_close(&p);
}

// c[m, n] = a b, rows of c `ldc` apart, against sums in double.
static void small_product(
    const pair *p, const tensor *a, const tensor *b, void *c, int m, int n, int k, int ldc) {
    float got[20 * 20];
    twin_ok(tt_device_zero(p->gpu, c, sizeof got));
    twin_ok(p->gpu->ops->gemm(p->gpu, &(tt_gemm){.m = m,
                                          .n = n,
                                          .k = k,
                                          .alpha = 1,
                                          .a = a->gpu,
                                          .b = b->gpu,
                                          .c = c,
                                          .c_fp32 = true,
                                          .lda = k,
                                          .ldb = n,
                                          .ldc = ldc}));
    twin_ok(tt_device_download(p->gpu, got, c, sizeof got));
    for (int i = 0; i < 20 * 20; ++i) {
        double expected = 0;
        for (int l = 0; i / ldc < m && i % ldc < n && l < k; ++l)
            expected += (double)a->cpu[i / ldc * k + l] * (double)b->cpu[l * n + i % ldc];
        if (fabs((double)got[i] - expected) <= 1e-5 * k) continue;
        print_error("product of m %d, n %d, k %d, rows %d apart: element %d: expected %g, got %g\n", m, n, k,
            ldc, i, expected, (double)got[i]);
        fail();
    }
}

// 2,048 choices of the library are kept, eight for shapes of one hash: more shapes than that, some that
// differ in one number alone, and the first ones again.
static void more_shapes_than_are_kept(void **state) {
    (void)state;
    pair p = pair_open(TT_FP32);
    tensor a = tensor_f32(&p, 400, 1, 1), b = tensor_f32(&p, 400, 1, 2), c = tensor_f32(&p, 400, 1, 3);
    for (int i = 0; i < 1100 + 20; ++i) {
        const int m = i % 1100 % 11 + 1, n = i % 1100 / 11 % 10 + 1, k = i % 1100 / 110 + 1;
        small_product(&p, &a, &b, c.gpu, m, n, k, n);
        small_product(&p, &a, &b, c.gpu, m, n, k, n + 1);
    }
    tensor_close(&p, &a), tensor_close(&p, &b), tensor_close(&p, &c);
    pair_close(&p);
}

static void fp32(void **state) {
    (void)state;
    with(TT_FP32);
    nan_comes_through(TT_FP32);
}
static void bf16(void **state) {
    (void)state;
    with(TT_BF16);
    nan_comes_through(TT_BF16);
}

static void bad_input(void **state) {
    (void)state;
    pair p = pair_open(TT_FP32);
    tensor h = tensor_f32(&p, 8, 1, 1), w = tensor_f32(&p, 20, 1, 2), out = tensor_f32(&p, 4, 1, 3);
    int32_t *targets = pair_ints(&p, (const int32_t[]){4, 5}, 2);
    const tt_lmhead op = {.rows = 2,
        .d = 4,
        .vocab = 5,
        .scale = 1,
        .h = h.gpu,
        .w = w.gpu,
        .targets = targets,
        .lse = out.gpu,
        .logp = (float *)out.gpu + 2};
    twin_ok(p.gpu->ops->lmhead_fwd(p.gpu, &op));
    float host[4];
    twin_refused(tt_device_download(p.gpu, host, out.gpu, sizeof host), TT_ERR_INPUT, "target 5 at row 1");
    tt_gemm bad = {.m = 2,
        .n = 2,
        .k = 2,
        .alpha = 1,
        .a = h.gpu,
        .b = w.gpu,
        .c = out.gpu,
        .lda = 1,
        .ldb = 2,
        .ldc = 2};
    twin_refused(p.gpu->ops->gemm(p.gpu, &bad), TT_ERR_INPUT, "row distances 1, 2, 2");
    tensor_close(&p, &h), tensor_close(&p, &w), tensor_close(&p, &out);
    tt_device_free(p.gpu, targets);
    pair_close(&p);
}

int main(void) {
    PAIR_NEEDS_GPU();
    const struct CMUnitTest tests[] = {cmocka_unit_test(fp32), cmocka_unit_test(bf16),
        cmocka_unit_test(more_shapes_than_are_kept), cmocka_unit_test(bad_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
