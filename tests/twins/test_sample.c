// Choosing tokens: exact sets of top k and top p, ties, frequencies, bad logits.
#include "tests/twins/twin.h"

#include "kernels/ops.h"

#include <string.h>

static tt_device *device;

static int open_device(void **state) {
    (void)state;
    return tt_device_open(&device, "cpu", TT_FP32, 2) == TT_OK ? 0 : -1;
}

static int close_device(void **state) {
    (void)state;
    tt_device_close(device);
    return 0;
}

// How often each id comes out of `rows` draws at evenly spread uniform numbers: exact up to 1 for each id.
static void frequencies(const float *logits, int vocab, tt_sample s, int rows, int *count) {
    float *all = twin_alloc((size_t)rows * vocab, sizeof *all), *uniform = twin_alloc(rows, sizeof *uniform);
    int32_t *token = twin_alloc(rows, sizeof *token);
    for (int r = 0; r < rows; ++r) {
        memcpy(all + (size_t)r * vocab, logits, vocab * sizeof *all);
        uniform[r] = ((float)r + 0.5f) / (float)rows;
    }
    s.rows = rows, s.vocab = vocab, s.logits = all, s.uniform = uniform, s.token = token;
    assert_int_equal(device->ops->sample(device, &s), TT_OK);
    memset(count, 0, vocab * sizeof *count);
    for (int r = 0; r < rows; ++r) {
        assert_in_range(token[r], 0, vocab - 1);
        if (r) assert_true(token[r] >= token[r - 1]); // inverse transform over ids in increasing order
        count[token[r]]++;
    }
    free(all), free(uniform), free(token);
}

// The kept ids, by the wording of the contract: sort by logit, then by id.
static void exact_probabilities(const float *logits, int vocab, const tt_sample *s, double *probability) {
    int *order = twin_alloc(vocab, sizeof *order);
    double total = 0;
    for (int i = 0; i < vocab; ++i) order[i] = i;
    for (int i = 1; i < vocab; ++i)
        for (int j = i; j > 0 && logits[order[j]] > logits[order[j - 1]]; --j) {
            int swap = order[j];
            order[j] = order[j - 1], order[j - 1] = swap;
        }
    int kept = s->top_k > 0 && s->top_k < vocab ? s->top_k : vocab;
    for (int i = 0; i < kept; ++i)
        total += exp(((double)logits[order[i]] - (double)logits[order[0]]) / (double)s->temperature);
    double sum = 0;
    memset(probability, 0, vocab * sizeof *probability);
    for (int i = 0; i < kept; ++i) {
        double p =
            exp(((double)logits[order[i]] - (double)logits[order[0]]) / (double)s->temperature) / total;
        if (s->top_p < 1 && sum >= (double)s->top_p) break;
        sum += p;
        probability[order[i]] = p;
    }
    for (int i = 0; i < vocab; ++i) probability[i] /= sum;
    free(order);
}

static void follows_the_distribution(void **state) {
    (void)state;
    enum { VOCAB = 37, ROWS = 4000 };
    static const struct {
        float temperature, top_p;
        int top_k;
    } settings[] = {{1, 1, 0}, {0.7f, 1, 0}, {2.5f, 1, 0}, {1, 1, 5}, {0.7f, 0.9f, 0}, {1, 0.3f, 0},
        {1.3f, 0.8f, 7}, {1, 1, 1}, {1, 1e-6f, 0}, {1, 1, 36}, {1, 1, 37}, {1, 1, 100}};
    float logits[VOCAB];
    twin_random(logits, VOCAB, 8, 4);
    logits[3] = -INFINITY, logits[20] = logits[21] = logits[7] = 3.5f; // never; ties
    for (size_t i = 0; i < sizeof settings / sizeof *settings; ++i) {
        const tt_sample s = {
            .temperature = settings[i].temperature, .top_p = settings[i].top_p, .top_k = settings[i].top_k};
        int count[VOCAB];
        double probability[VOCAB];
        frequencies(logits, VOCAB, s, ROWS, count);
        exact_probabilities(logits, VOCAB, &s, probability);
        for (int id = 0; id < VOCAB; ++id) {
            if (probability[id] == 0) assert_int_equal(count[id], 0);
            assert_true(fabs(count[id] - ROWS * probability[id]) <= 1.01);
        }
    }
}

static void random_draws_pass_chi_square(void **state) {
    (void)state;
    enum { VOCAB = 20, ROWS = 50000 };
    float *logits = twin_alloc(ROWS * VOCAB, sizeof *logits), *uniform = twin_alloc(ROWS, sizeof *uniform);
    int32_t *token = twin_alloc(ROWS, sizeof *token);
    float one[VOCAB];
    twin_random(one, VOCAB, 9, 1.5f);
    for (int r = 0; r < ROWS; ++r) memcpy(logits + (size_t)r * VOCAB, one, sizeof one);
    tt_rng rng;
    tt_rng_open(&rng, 1, TT_FOR_SAMPLING, 0, 0);
    for (int r = 0; r < ROWS; ++r) uniform[r] = (float)(tt_rng_u32(&rng) >> 8) * 0x1p-24f;
    const tt_sample s = {.rows = ROWS,
        .vocab = VOCAB,
        .logits = logits,
        .temperature = 0.8f,
        .top_p = 1,
        .uniform = uniform,
        .token = token};
    assert_int_equal(device->ops->sample(device, &s), TT_OK);
    double probability[VOCAB], chi2 = 0;
    exact_probabilities(one, VOCAB, &s, probability);
    for (int id = 0; id < VOCAB; ++id) {
        double n = 0, want = ROWS * probability[id];
        for (int r = 0; r < ROWS; ++r) n += token[r] == id;
        chi2 += (n - want) * (n - want) / want;
    }
    assert_true(chi2 < 43.8); // 19 degrees of freedom, p = 0.001
    assert_true(chi2 > 5.4);  // p = 0.999
    free(logits), free(uniform), free(token);
}

static void greedy_takes_the_lowest_of_equals(void **state) {
    (void)state;
    enum { VOCAB = 32128 };
    float *logits = twin_alloc(3 * VOCAB, sizeof *logits);
    twin_random(logits, 3 * VOCAB, 10, 1);
    logits[31000] = logits[32127] = 2;
    logits[VOCAB] = 2;
    for (int i = 0; i < VOCAB; ++i) logits[2 * VOCAB + i] = -3; // all equal
    int32_t token[3];
    float logp[3];
    const tt_sample s = {
        .rows = 3, .vocab = VOCAB, .logits = logits, .top_p = 1, .token = token, .logp = logp};
    assert_int_equal(device->ops->sample(device, &s), TT_OK);
    assert_int_equal(token[0], 31000);
    assert_int_equal(token[1], 0);
    assert_int_equal(token[2], 0);
    double want[3];
    for (int r = 0; r < 3; ++r) {
        double total = 0;
        for (int i = 0; i < VOCAB; ++i) total += exp((double)logits[r * VOCAB + i]);
        want[r] = (double)logits[r * VOCAB + token[r]] - log(total);
    }
    twin_expect(TWIN_FP32, "logp", logp, want, 3);
    free(logits);
}

// At a large vocabulary the cut by bit patterns must give exactly the sorted order's set.
static void top_k_is_exact_at_full_vocabulary(void **state) {
    (void)state;
    enum { VOCAB = 2000, K = 40 };
    float logits[VOCAB];
    twin_random(logits, VOCAB, 12, 1e-3f); // close together: all leading bytes of the pattern matter
    for (int i = 0; i < VOCAB; i += 3) logits[i] = logits[0]; // hundreds of ties
    logits[0] = logits[3];
    const tt_sample s = {.temperature = 1, .top_p = 1, .top_k = K};
    int count[VOCAB], kept = 0;
    double probability[VOCAB];
    frequencies(logits, VOCAB, s, 2000, count);
    exact_probabilities(logits, VOCAB, &s, probability);
    for (int i = 0; i < VOCAB; ++i) {
        assert_int_equal(count[i] > 0, probability[i] > 0);
        kept += count[i] > 0;
    }
    assert_int_equal(kept, K);
}

// Sums go by parts of 1024 ids: each id still has its share of the uniform numbers, and a maximum is found in any part.
static void every_part_is_drawn_from(void **state) {
    (void)state;
    static const int sizes[] = {1023, 1024, 1025, 2048, 2049};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        const int vocab = sizes[i];
        float logits[2049];
        int count[2049];
        double probability[2049];
        twin_random(logits, vocab, 14, 1);
        logits[vocab - 1] = 3;
        const tt_sample s = {.temperature = 1, .top_p = 1};
        frequencies(logits, vocab, s, 8000, count);
        exact_probabilities(logits, vocab, &s, probability);
        for (int id = 0; id < vocab; ++id) assert_true(fabs(count[id] - 8000 * probability[id]) <= 1.01);
        int32_t token[1];
        for (int at = vocab > 1024 ? 1022 : 0; at < vocab; at += at < 1030 ? 1 : 509) {
            logits[at] = 9 + (float)at;
            const tt_sample greedy = {
                .rows = 1, .vocab = vocab, .logits = logits, .top_p = 1, .token = token};
            assert_int_equal(device->ops->sample(device, &greedy), TT_OK);
            assert_int_equal(token[0], at);
        }
    }
}

static void logp_is_of_the_unmodified_logits(void **state) {
    (void)state;
    const float logits[5] = {0.5f, -1, 2, 0, 1}, uniform[1] = {0.999f};
    int32_t token[1];
    float logp[1];
    const tt_sample s = {.rows = 1,
        .vocab = 5,
        .logits = logits,
        .temperature = 0.3f,
        .top_p = 0.5f,
        .top_k = 2,
        .uniform = uniform,
        .token = token,
        .logp = logp};
    assert_int_equal(device->ops->sample(device, &s), TT_OK);
    assert_int_equal(token[0], 2);
    double total = 0;
    for (int i = 0; i < 5; ++i) total += exp((double)logits[i]);
    const double want[1] = {2 - log(total)};
    twin_expect(TWIN_FP32, "logp", logp, want, 1);
}

static void tiny_temperature_is_greedy(void **state) {
    (void)state;
    const float logits[4] = {1, 3, 3, 2}, uniform[1] = {0.4f}, tiny[3] = {1e-3f, 1e-30f, 1e-40f};
    for (int i = 0; i < 3; ++i) {
        int32_t token[1];
        const tt_sample s = {.rows = 1,
            .vocab = 4,
            .logits = logits,
            .temperature = tiny[i],
            .top_p = 1,
            .uniform = uniform,
            .token = token};
        assert_int_equal(device->ops->sample(device, &s), TT_OK);
        assert_int_equal(token[0], 1);
    }
}

// Nine draws from three rows, some of a row apart from others, are those from copies of the rows: whatever threads take them,
// with cuts and without, greedy too; draws that are left out come between. A bad row that nobody draws from does no harm.
static void draws_share_rows(void **state) {
    (void)state;
    enum { VOCAB = 2100, DRAWS = 9, ROWS = 4 };
    static const int32_t from[DRAWS] = {0, 0, 0, 1, 1, 3, 3, 3, 0}, left[DRAWS] = {1, 1, 0, 2, 1, 0, 1, 1, 1};
    static float logits[ROWS * VOCAB], copies[DRAWS * VOCAB];
    float uniform[DRAWS], logp[2][DRAWS];
    int32_t token[2][DRAWS];
    twin_random(logits, ROWS * VOCAB, 21, 3);
    for (int i = 0; i < VOCAB; ++i) logits[2 * VOCAB + i] = NAN;
    for (int i = 0; i < DRAWS; ++i) {
        memcpy(copies + i * VOCAB, logits + from[i] * VOCAB, VOCAB * sizeof *copies);
        uniform[i] = 0.1f * (float)i + 0.05f;
    }
    for (int threads = 1; threads <= 3; threads += 2)
        for (int way = 0; way < 4; ++way) {
            tt_device *other;
            assert_int_equal(tt_device_open(&other, "cpu", TT_FP32, threads), TT_OK);
            tt_sample s = {.rows = DRAWS,
                .vocab = VOCAB,
                .temperature = way == 3 ? 0 : 0.8f,
                .top_k = way == 1 ? 40 : 0,
                .top_p = way == 2 ? 0.9f : 1,
                .uniform = uniform,
                .left = left};
            for (int shared = 0; shared < 2; ++shared) {
                s.logits = shared ? logits : copies;
                s.from = shared ? from : NULL;
                s.token = token[shared], s.logp = logp[shared];
                memset(logp[shared], 0, sizeof logp[shared]);
                assert_int_equal(other->ops->sample(other, &s), TT_OK);
            }
            assert_memory_equal(token[0], token[1], sizeof token[0]);
            assert_memory_equal(logp[0], logp[1], sizeof logp[0]);
            if (way == 0) assert_int_not_equal(token[1][0], token[1][1]); // draws of their own
            const int32_t to_bad[DRAWS] = {
                0, 0, 0, 1, 1, 2, 2, 3, 0}; // the first draw from row 2 is left out
            s.from = to_bad;
            assert_int_equal(other->ops->sample(other, &s), TT_ERR_NUMERIC);
            assert_non_null(strstr(tt_error_message(), "row 2"));
            tt_device_close(other);
        }
}

static void bad_input_is_refused(void **state) {
    (void)state;
    const float uniform[2] = {0.5f, 0.5f}, bad[] = {NAN, INFINITY};
    int32_t token[2];
    for (int i = 0; i < 2; ++i)
        for (int greedy = 0; greedy < 2; ++greedy) {
            const float logits[6] = {1, 2, 3, 1, bad[i], 2};
            const tt_sample s = {.rows = 2,
                .vocab = 3,
                .logits = logits,
                .temperature = greedy ? 0 : 1,
                .top_p = 1,
                .uniform = uniform,
                .token = token};
            assert_int_equal(device->ops->sample(device, &s), TT_ERR_NUMERIC);
            assert_non_null(strstr(tt_error_message(), "row 1"));
        }
    const float nothing[3] = {-INFINITY, -INFINITY, -INFINITY}, fine[3] = {1, 2, 3};
    tt_sample s = {.rows = 1, .vocab = 3, .logits = nothing, .top_p = 1, .token = token, .uniform = uniform};
    assert_int_equal(device->ops->sample(device, &s), TT_ERR_NUMERIC);
    s.logits = fine;
    s.temperature = -1;
    assert_int_equal(device->ops->sample(device, &s), TT_ERR_INPUT);
    s.temperature = 1, s.top_p = 0;
    assert_int_equal(device->ops->sample(device, &s), TT_ERR_INPUT);
    s.top_p = 1, s.top_k = -1;
    assert_int_equal(device->ops->sample(device, &s), TT_ERR_INPUT);
    const float one[1] = {1};
    s.top_k = 0, s.uniform = one;
    assert_int_equal(device->ops->sample(device, &s), TT_ERR_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_distribution),
        cmocka_unit_test(random_draws_pass_chi_square),
        cmocka_unit_test(greedy_takes_the_lowest_of_equals),
        cmocka_unit_test(top_k_is_exact_at_full_vocabulary),
        cmocka_unit_test(every_part_is_drawn_from),
        cmocka_unit_test(logp_is_of_the_unmodified_logits),
        cmocka_unit_test(tiny_temperature_is_greedy),
        cmocka_unit_test(draws_share_rows),
        cmocka_unit_test(bad_input_is_refused),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
