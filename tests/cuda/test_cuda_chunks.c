// Sizes that cannot be made small, on both sides: chunks of logits in the LM head; sums of squares of so much
// that a thread of the last kernel has more than one strip's sum.
#include "tests/cuda/beam_pair.h"
#include "tests/cuda/lmhead_pair.h"

// The LM head of T5: 2,048 rows are one chunk of logits, 2,049 are two.
enum { ONE = 2048, D = 8, VOCABULARY = 32128 };

static void check_head(tt_precision precision, int rows, bool fused) {
    pair p = pair_open(precision);
    lmhead_pair head = lmhead_pair_open(&p, rows, D, VOCABULARY, 1);
    lmhead_pair_check(&p, &head, fused);
    lmhead_pair_close(&p, &head);
    pair_close(&p);
}

static void chunks_of_the_head(void **state) {
    (void)state;
    check_head(TT_FP32, ONE, true);
    check_head(TT_FP32, ONE + 1, false);
    check_head(TT_BF16, ONE + 1, true);
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

// Lanes with several texts, and the most.
static void many_beams(void **state) {
    (void)state;
    pair p = pair_open(TT_FP32);
    beam_step_pair(&p, 100);
    beam_step_pair(&p, 256);
    pair_close(&p);
}

int main(void) {
    PAIR_NEEDS_GPU();
    const struct CMUnitTest tests[] = {cmocka_unit_test(strips_of_a_sum),
        cmocka_unit_test(chunks_of_the_head), cmocka_unit_test(many_beams)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
