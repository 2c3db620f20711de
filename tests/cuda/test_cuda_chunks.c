// Sizes that cannot be made small, on both sides: chunks of logits in the LM head; sums of squares of so much
// that a thread of the last kernel has more than one strip's sum.
#include "tests/cuda/pair.h"

// The LM head of T5: 522 rows are one chunk of logits, 523 are two.
enum { ONE = 522, D = 8, VOCABULARY = 32128 };

// Against the CPU's: forward and backward apart, or fused.
static void head(tt_precision precision, int rows, bool fused) {
    pair p = pair_open(precision);
    const size_t n = (size_t)rows * D, all = (size_t)VOCABULARY * D;
    int32_t *targets = twin_ids((size_t)rows, VOCABULARY, 5),
            *gpu_targets = pair_ints(&p, targets, (size_t)rows);
    tensor h = tensor_operand(&p, n, 1, 1), w = tensor_operand(&p, all, 1, 2),
           dlogp = tensor_f32(&p, (size_t)rows, 1, 3);
    tensor lse = tensor_f32(&p, (size_t)rows, 1, 6), logp = tensor_f32(&p, (size_t)rows, 1, 7),
           dh = tensor_operand(&p, n, 1, 8), dw = tensor_f32(&p, all, 1, 9);
    for (int side = 0; side < 2; ++side) {
        tt_device *device = side ? p.gpu : p.cpu;
        const tt_lmhead op = {.rows = rows,
            .d = D,
            .vocab = VOCABULARY,
            .scale = 0.3f,
            .h = side ? h.gpu : h.cpu,
            .w = side ? w.gpu : w.cpu,
            .targets = side ? gpu_targets : targets,
            .lse = side ? lse.gpu : lse.cpu,
            .logp = side ? logp.gpu : logp.cpu,
            .dlogp = side ? dlogp.gpu : dlogp.cpu,
            .dh = side ? dh.gpu : dh.cpu,
            .dw = side ? dw.gpu : dw.cpu};
        if (!fused) twin_ok(device->ops->lmhead_fwd(device, &op));
        if (!fused) twin_ok(device->ops->lmhead_bwd(device, &op));
        if (fused) twin_ok(device->ops->lmhead_fused(device, &op));
    }
    tensor_compare(&p, "lse", &lse), tensor_compare(&p, "logp", &logp);
    tensor_compare(&p, "dh", &dh), tensor_compare(&p, "dw", &dw);
    tensor_close(&p, &lse), tensor_close(&p, &logp), tensor_close(&p, &dh), tensor_close(&p, &dw);
    tensor_close(&p, &h), tensor_close(&p, &w), tensor_close(&p, &dlogp);
    tt_device_free(p.gpu, gpu_targets);
    free(targets);
    pair_close(&p);
}

static void chunks_of_the_head(void **state) {
    (void)state;
    head(TT_FP32, ONE, true);
    head(TT_FP32, ONE + 1, false);
    head(TT_BF16, ONE + 1, true);
}

// 1,024 strips of 16,384: one for each thread.
static void strips_of_a_sum(void **state) {
    (void)state;
    enum { STRIPS = 1024 * 16384 };
    pair p = pair_open(TT_FP32);
    tensor x = tensor_of(&p, twin_alloc(STRIPS + 5, sizeof(float)), STRIPS + 5, false);
    double *sum, got, expected = 0;
    twin_ok(tt_device_alloc(p.gpu, &sum, 1, sizeof *sum, "sum"));
    for (int i = 0; i < STRIPS + 5; ++i) x.cpu[i] = (float)(i % 7);
    twin_ok(tt_device_upload(p.gpu, x.gpu, x.cpu, x.n * sizeof(float)));
    for (int i = 0; i < STRIPS + 5; ++i) {
        expected += (i % 7) * (i % 7);
        if (i + 1 != STRIPS && i + 1 != STRIPS + 5) continue;
        twin_ok(p.gpu->ops->square_sum(p.gpu, sum, x.gpu, i + 1));
        twin_ok(tt_device_download(p.gpu, &got, sum, sizeof got));
        if (got == expected) continue; // whole numbers below 2^53
        print_error("sum of squares of %d: expected %.17g, got %.17g\n", i + 1, expected, got);
        fail();
    }
    tt_device_free(p.gpu, sum);
    tensor_close(&p, &x);
    pair_close(&p);
}

int main(void) {
    PAIR_NEEDS_GPU();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strips_of_a_sum), cmocka_unit_test(chunks_of_the_head)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
