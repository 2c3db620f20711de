#include "host/text/tokenizer.h"
#include "host/train/span_corruption.h"
#include "tests/expect.h"

#include <math.h>
#include <string.h>

enum { LONGEST = 600, FIRST = 999, SENTINELS = 100 };
static const tt_span_corruption t5 = {0.15, 3, FIRST, SENTINELS};

static bool is_sentinel(int32_t id) {
    return id <= FIRST && id > FIRST - SENTINELS;
}

// Puts the target's spans back where the input has their sentinels; length of the text, -1 if it does not
// fit.
static int restore(const int32_t *input, int n_input, const int32_t *target, int n_target, int32_t *text) {
    int n = 0, at = 0;
    if (input[n_input - 1] != TT_EOS || target[n_target - 1] != TT_EOS) return -1;
    for (int i = 0; i < n_input - 1; ++i) {
        if (!is_sentinel(input[i])) {
            text[n++] = input[i];
            continue;
        }
        if (target[at++] != input[i]) return -1;
        while (at < n_target - 1 && !is_sentinel(target[at])) text[n++] = target[at++];
    }
    return at == n_target - 1 ? n : -1;
}

static void corrupted_text_can_be_restored(void **state) {
    (void)state;
    int32_t ids[LONGEST], input[2 * LONGEST], target[2 * LONGEST], text[2 * LONGEST];
    for (int i = 0; i < LONGEST; ++i) ids[i] = 3 + i;
    const tt_span_corruption shapes[] = {
        t5, {0.5, 1, FIRST, SENTINELS}, {0.9, 10, FIRST, SENTINELS}, {0.01, 3, FIRST, 1}, {0.5, 1, FIRST, 4}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; ++s)
        for (int n = 2; n <= LONGEST; n += n < 20 ? 1 : 29) {
            tt_rng rng;
            tt_rng_open(&rng, 5, TT_FOR_TEST, n, (uint32_t)s);
            int noise, spans;
            tt_corrupted out = {.input = input, .target = target};
            OK(tt_span_corrupt(&shapes[s], ids, n, &rng, &out));
            tt_span_corruption_counts(&shapes[s], n, &noise, &spans);
            assert_int_equal(out.n_input, n - noise + spans + 1);
            assert_int_equal(out.n_target, noise + spans + 1);
            assert_int_equal(restore(input, out.n_input, target, out.n_target, text), n);
            assert_memory_equal(text, ids, (size_t)n * sizeof *ids);
            assert_int_equal(input[0], ids[0]); // starts with kept text
        }
}

static void counts_are_those_of_t5(void **state) {
    (void)state;
    int noise, spans;
    // T5's own numbers: 568 tokens make an input of 512 and a target of 114.
    tt_span_corruption_counts(&t5, 568, &noise, &spans);
    assert_int_equal(noise, 85);
    assert_int_equal(spans, 28);
    assert_int_equal(568 - noise + spans + 1, 512);
    assert_int_equal(noise + spans + 1, 114);
    tt_span_corruption_counts(&t5, 2, &noise, &spans);
    assert_int_equal(noise, 1);
    assert_int_equal(spans, 1);
}

// Every token is replaced equally often but near the ends: a text begins with kept tokens and ends with a span.
static void spans_fall_everywhere(void **state) {
    (void)state;
    enum { N = 60, DRAWS = 20000 };
    int lost[N] = {0}, lengths[N + 1] = {0};
    int32_t ids[N], input[2 * N], target[2 * N];
    for (int i = 0; i < N; ++i) ids[i] = 3 + i;
    for (int draw = 0; draw < DRAWS; ++draw) {
        tt_rng rng;
        tt_rng_open(&rng, 1, TT_FOR_TEST, (uint64_t)draw, 0);
        int length = 0;
        tt_corrupted out = {.input = input, .target = target};
        OK(tt_span_corrupt(&t5, ids, N, &rng, &out));
        for (int i = 0; i < out.n_target; ++i) {
            if (!is_sentinel(target[i]) && target[i] != TT_EOS) {
                lost[target[i] - 3]++;
                length++;
                continue;
            }
            lengths[length] += length > 0;
            length = 0;
        }
    }
    // 9 of 60 tokens in 3 spans: 28 divisions of 9 into 3 parts, each part is k long in 8 - k of them,
    // k = 1..7.
    for (int k = 1; k <= 7; ++k) {
        double expected = 3.0 * DRAWS * (8 - k) / 28;
        if (!(fabs(lengths[k] - expected) <= 5 * sqrt(expected)))
            fail_msg("spans of length %d: %d, expected about %.0f", k, lengths[k], expected);
    }
    assert_int_equal(lengths[8], 0);
    for (int i = 10; i < N - 10; ++i) assert_in_range(lost[i], DRAWS / 20, DRAWS / 4);
}

static void same_key_same_spans(void **state) {
    (void)state;
    int32_t ids[50], input[2][100], target[2][100];
    tt_corrupted out[2] = {{input[0], target[0], 0, 0}, {input[1], target[1], 0, 0}};
    for (int i = 0; i < 50; ++i) ids[i] = 3 + i;
    for (int twice = 0; twice < 2; ++twice) {
        tt_rng rng;
        tt_rng_open(&rng, 1, TT_FOR_SPAN, 7, 2);
        OK(tt_span_corrupt(&t5, ids, 50, &rng, &out[twice]));
    }
    assert_int_equal(out[0].n_input, out[1].n_input);
    assert_memory_equal(input[0], input[1], (size_t)out[0].n_input * sizeof(int32_t));
    tt_rng rng;
    tt_rng_open(&rng, 1, TT_FOR_SPAN, 7, 3); // another epoch
    OK(tt_span_corrupt(&t5, ids, 50, &rng, &out[1]));
    assert_memory_not_equal(input[0], input[1], (size_t)out[0].n_input * sizeof(int32_t));
    assert_int_equal(tt_span_corrupt(&t5, ids, 1, &rng, &out[0]), TT_ERR_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(corrupted_text_can_be_restored),
        cmocka_unit_test(counts_are_those_of_t5), cmocka_unit_test(spans_fall_everywhere),
        cmocka_unit_test(same_key_same_spans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
