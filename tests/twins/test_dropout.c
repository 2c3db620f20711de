// Dropout masks: the vectorised rows against the definition word by word, their statistics, what they depend
// on.
#include "twin.h"

#include "kernels/cpu/dropout.h"
#include "kernels/cpu/dropout_draw.h"

static void equals_the_definition(void **state) {
    (void)state;
    enum { ROWS = 9, MAX = 400 };
    for (float p = 1e-6f; p < 1; p = p < 0.05f ? 0.05f : p + 0.45f) {
        tt_dropout drop = twin_dropout(p, 77, ROWS);
        for (int n = 1; n <= MAX; n = n < 70 ? n + 1 : n + 109)
            for (int first = 0; first <= 8; first += 4) {
                float factor[MAX + 1];
                factor[n] = -3;
                tt_dropout_factors(&drop, 77 + n, n % ROWS, first, n, factor);
                assert_true(factor[n] == -3); // nothing is written past the end
                for (int c = 0; c < n; ++c) {
                    const double expected = twin_factor(&drop, 77 + n, n % ROWS, first + c);
                    assert_true(fabs(factor[c] - expected) <= 1e-6 * expected);
                }
            }
        twin_dropout_close(&drop);
    }
}

// All ways to draw that this machine can run write the same, and nothing past their end.
static void all_ways_agree(void **state) {
    (void)state;
    tt_draw_function *ways[3] = {tt_draw_portable};
    int count = 1;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) ways[count++] = tt_draw_avx2;
    if (__builtin_cpu_supports("avx512f")) ways[count++] = tt_draw_avx512;
#endif
    enum { UNITS = 11, N = UNITS * TT_DRAW_UNIT };
    const tt_draw draw = {.key = {0xdeadbeef, 0x12345678},
        .block = 0xfffffff0u,
        .site = 3,
        .position = 0xffffffffu,
        .example = 0x80000000u,
        .threshold = 0x90000000u,
        .kept = 2};
    float expected[N + 1], got[N + 1];
    for (int units = 0; units <= UNITS; ++units) {
        expected[units * TT_DRAW_UNIT] = -3;
        tt_draw_portable(&draw, units, expected);
        for (int way = 0; way < count; ++way) {
            got[units * TT_DRAW_UNIT] = -3;
            ways[way](&draw, units, got);
            assert_memory_equal(got, expected, ((size_t)units * TT_DRAW_UNIT + 1) * sizeof *got);
        }
    }
    print_message("%d ways to draw\n", count);
}

// The share dropped is p within five standard deviations, and no two neighbours hang together.
static void statistics(void **state) {
    (void)state;
    enum { N = 4096, ROWS = 64 };
    const float p = 0.1f;
    tt_dropout drop = twin_dropout(p, 3, ROWS);
    float factor[N];
    double dropped = 0, pairs = 0;
    for (int t = 0; t < ROWS; ++t) {
        tt_dropout_factors(&drop, drop.site, t, 0, N, factor);
        for (int c = 0; c < N; ++c) dropped += factor[c] == 0;
        for (int c = 1; c < N; ++c) pairs += factor[c] == 0 && factor[c - 1] == 0;
    }
    const double n = (double)N * ROWS, q = p * p;
    assert_true(fabs(dropped - n * p) < 5 * sqrt(n * p * (1 - p)));
    assert_true(fabs(pairs - n * q) < 5 * sqrt(n * q));
    twin_dropout_close(&drop);
}

// Each of key, site, position and example changes the mask; the row's place in the batch does not.
static void depends_on_what_it_is_for(void **state) {
    (void)state;
    enum { N = 256 };
    uint32_t example[4] = {5, 6, 5, 5}, position[4] = {2, 2, 3, 2};
    uint64_t key = 99;
    tt_dropout drop = {.p = 0.5f, .key = &key, .site = 4, .example = example, .position = position};
    float base[N], other[N];
    tt_dropout_factors(&drop, 4, 0, 0, N, base);
    tt_dropout_factors(&drop, 4, 3, 0, N, other);
    assert_memory_equal(base, other, sizeof base);
    for (int change = 0; change < 5; ++change) {
        tt_dropout changed = drop;
        const uint64_t other_key = key ^ (change == 3) ^ (uint64_t)(change == 4) << 40;
        changed.key = &other_key;
        tt_dropout_factors(&changed, change == 2 ? 5 : 4, change < 2 ? change + 1 : 0, 0, N, other);
        int same = 0;
        for (int c = 0; c < N; ++c) same += base[c] == other[c];
        assert_in_range(same, N / 2 - 40, N / 2 + 40); // five standard deviations
    }
}

static void bad_input(void **state) {
    (void)state;
    const uint32_t row[1] = {0};
    const uint64_t key = 1;
    const float bad[] = {-0.1f, 1, 2, NAN, INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        tt_dropout drop = {.p = bad[i], .key = &key, .example = row, .position = row};
        twin_refused(tt_dropout_check(&drop, "op"), TT_ERR_INPUT, "expected 0 <= p < 1");
    }
    tt_dropout drop = {.p = 0.1f, .key = &key, .example = row};
    twin_refused(tt_dropout_check(&drop, "op"), TT_ERR_INPUT, "op: dropout needs");
    drop = (tt_dropout){.p = 0.1f, .example = row, .position = row};
    twin_refused(tt_dropout_check(&drop, "op"), TT_ERR_INPUT, "op: dropout needs a key");
    drop.p = 0;
    twin_ok(tt_dropout_check(&drop, "op"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_definition),
        cmocka_unit_test(all_ways_agree),
        cmocka_unit_test(statistics),
        cmocka_unit_test(depends_on_what_it_is_for),
        cmocka_unit_test(bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
