// Log-softmax, penalties and the largest scores against float64 and sorting.
#include "twin.h"

static tt_device *device;

enum { ROWS = 5, VOCAB = 1537 };

static void log_softmax_of(int vocab) {
    float *x = twin_alloc((size_t)(ROWS * vocab), sizeof *x);
    double *want = twin_alloc((size_t)(ROWS * vocab), sizeof *want);
    twin_random(x, (size_t)(ROWS * vocab), 1, 5);
    x[3] = -INFINITY, x[vocab + 7] = 80;
    for (int r = 0; r < ROWS; ++r) {
        double sum = 0;
        for (int i = 0; i < vocab; ++i) sum += exp((double)x[r * vocab + i]);
        for (int i = 0; i < vocab; ++i) want[r * vocab + i] = (double)x[r * vocab + i] - log(sum);
    }
    assert_int_equal(device->ops->log_softmax(device, x, ROWS, vocab), TT_OK);
    assert_true(isinf(x[3]) && x[3] < 0);
    x[3] = 0, want[3] = 0;
    twin_expect(TWIN_FP32, "log_softmax", x, want, (size_t)(ROWS * vocab));
    x[2 * vocab + 5] = NAN;
    assert_int_equal(device->ops->log_softmax(device, x, ROWS, vocab), TT_ERR_NUMERIC);
    free(x), free(want);
}

static void log_softmax_matches_float64(void **state) {
    (void)state;
    static const int sizes[] = {1023, 1024, 1025, VOCAB}; // parts of 1,024
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) log_softmax_of(sizes[i]);
}

// Each seen id once, however often it was seen; negative scores fall, positive ones shrink.
static void penalties_are_hugging_faces(void **state) {
    (void)state;
    float scores[2 * 6] = {1, -1, 3, 0.5f, 4, -2, /**/ 1, -1, 3, 0.5f, 4, -2};
    // Of the second row, which is too short to end; then by a table, in another order and with another id between.
    const int32_t ids[7] = {3, 1, 2, 1, 1, 4, 5}, start[2] = {1, 5}, length[2] = {4, 2};
    const int32_t other_ids[7] = {1, 5, 1, 4, 2, 3, 1}, table[7] = {5, 0, 4, 6, 2, 3, 1};
    const float want[2 * 6] = {1, -2, 1.5f, 0.5f, 4, -2, /**/ 1, -INFINITY, 3, 0.5f, 2, -4};
    tt_penalise p = {.rows = 2,
        .vocab = 6,
        .scores = scores,
        .repetition_penalty = 2,
        .ids = ids,
        .start = start,
        .length = length,
        .end = 1,
        .min_length = 3};
    float again[2 * 6];
    memcpy(again, scores, sizeof again);
    assert_int_equal(device->ops->penalise(device, &p), TT_OK);
    for (int i = 0; i < 12; ++i) assert_true(scores[i] == want[i]);
    p.scores = again, p.ids = other_ids, p.table = table;
    assert_int_equal(device->ops->penalise(device, &p), TT_OK);
    assert_memory_equal(again, want, sizeof want);
    p.repetition_penalty = 0;
    assert_int_equal(device->ops->penalise(device, &p), TT_ERR_INPUT);
}

static const float *sorted_by;
static int by_score(const void *a, const void *b) {
    const int i = *(const int *)a, j = *(const int *)b;
    if (sorted_by[i] != sorted_by[j]) return sorted_by[i] > sorted_by[j] ? -1 : 1;
    return i - j;
}

static void top_is_a_sorts_beginning(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 8, 64, 512};
    float *scores = twin_alloc(ROWS * VOCAB, sizeof *scores), *score = twin_alloc(ROWS * 512, sizeof *score);
    int32_t *token = twin_alloc(ROWS * 512, sizeof *token);
    int *order = twin_alloc(VOCAB, sizeof *order);
    twin_random(scores, ROWS * VOCAB, 2, 3);
    for (int i = 0; i < VOCAB; i += 3) scores[i] = 1.25f;              // ties
    for (int i = 0; i < VOCAB; ++i) scores[VOCAB + i] = (float)i;      // rising: every one is inserted
    for (int i = 5; i < VOCAB; ++i) scores[2 * VOCAB + i] = -INFINITY; // fewer finite ones than wanted
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
        const int k = sizes[s];
        const tt_top t = {
            .rows = ROWS, .vocab = VOCAB, .k = k, .scores = scores, .token = token, .score = score};
        assert_int_equal(device->ops->top(device, &t), TT_OK);
        for (int r = 0; r < ROWS; ++r) {
            sorted_by = scores + r * VOCAB;
            for (int i = 0; i < VOCAB; ++i) order[i] = i;
            qsort(order, VOCAB, sizeof *order, by_score);
            for (int i = 0; i < k; ++i) {
                assert_int_equal(token[r * k + i], order[i]);
                assert_true(score[r * k + i] == sorted_by[order[i]]);
            }
        }
    }
    free(scores), free(score), free(token), free(order);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_softmax_matches_float64),
        cmocka_unit_test(penalties_are_hugging_faces),
        cmocka_unit_test(top_is_a_sorts_beginning),
    };
    if (tt_device_open(&device, "cpu", TT_FP32, 2) != TT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tt_device_close(device);
    return failed;
}
