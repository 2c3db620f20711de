// Log-softmax, penalties, the largest scores and steps of beam search against float64 and sorting.
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

// ---- the end of a step of beam search

typedef struct beams {
    int prompts, beams;
    int32_t *choice, *left, *token, *row, *start, *length, *parent;
    float *score;
    double *total;
    tt_beam_candidate *best;
} beams;

static beams open_beams(int prompts, int n) {
    const size_t rows = (size_t)(prompts * n), all = rows * 2 * (size_t)n;
    return (beams){prompts, n, twin_alloc(all, 4), twin_alloc(rows, 4), twin_alloc(rows, 4),
        twin_alloc(rows, 4), twin_alloc(rows, 4), twin_alloc(rows, 4), twin_alloc(rows, 4),
        twin_alloc(all, 4), twin_alloc(rows, sizeof(double)),
        twin_alloc((size_t)prompts * 2 * (size_t)n, sizeof(tt_beam_candidate))};
}

static void close_beams(beams *b) {
    free(b->choice), free(b->left), free(b->token), free(b->row), free(b->start), free(b->length);
    free(b->parent), free(b->score), free(b->total), free(b->best);
}

static tt_status do_beam_step(const beams *b) {
    return device->ops->beam_step(device, &(tt_beam_step){.prompts = b->prompts,
                                              .beams = b->beams,
                                              .end = 1,
                                              .choice = b->choice,
                                              .score = b->score,
                                              .left = b->left,
                                              .total = b->total,
                                              .token = b->token,
                                              .row = b->row,
                                              .start = b->start,
                                              .length = b->length,
                                              .parent = b->parent,
                                              .best = b->best});
}

// Three texts of 5 tokens each, in the slots that begin at 40, 0 and 20. The second text has two children, of which the first
// keeps its slot; the third has one; of the first only its end is among the best, so the second text's other child takes
// slot 40.
static void a_beam_step_by_hand(void **state) {
    (void)state;
    beams b = open_beams(1, 3);
    static const int32_t choice[18] = {1, 7, 8, 9, 10, 11, /**/ 4, 6, 5, 1, 12, 13, /**/ 3, 2, 1, 14, 15, 16},
                         start[3] = {40, 0, 20};
    static const float score[18] = {
        -1, -9, -9, -9, -9, -9, /**/ -0.5f, -0.5f, -1, -1.5f, -8, -8, /**/ -0.25f, -3, -4, -8, -8, -8};
    static const double total[3] = {-1, -1.5, -2};
    memcpy(b.choice, choice, sizeof choice), memcpy(b.score, score, sizeof score);
    memcpy(b.total, total, sizeof total), memcpy(b.start, start, sizeof start);
    for (int i = 0; i < 3; ++i) b.left[i] = 1, b.length[i] = 5, b.row[i] = start[i] + 4;
    assert_int_equal(do_beam_step(&b), TT_OK);
    // Sums: -2 of three, the end of the first text among them; -2.25; -2.5; -3 an end.
    static const tt_beam_candidate best[6] = {{-2, 0, 1, -1, 0}, {-2, 1, 4, 1, 0}, {-2, 1, 6, 0, 0},
        {-2.25, 2, 3, 2, 0}, {-2.5, 1, 5, -1, 0}, {-3, 1, 1, -1, 0}};
    static const int32_t token[3] = {4, 6, 3}, next[3] = {0, 40, 20}, row[3] = {5, 45, 25},
                         length[3] = {6, 6, 6}, parent[3] = {0, 0, 20};
    static const double sum[3] = {-2, -2, -2.25};
    for (int i = 0; i < 6; ++i) assert_memory_equal(&b.best[i], &best[i], sizeof best[i]);
    assert_memory_equal(b.token, token, sizeof token);
    assert_memory_equal(b.start, next, sizeof next);
    assert_memory_equal(b.row, row, sizeof row);
    assert_memory_equal(b.length, length, sizeof length);
    assert_memory_equal(b.parent, parent, sizeof parent);
    assert_memory_equal(b.total, sum, sizeof sum);
    b.left[0] = 0; // such a prompt is left as it is
    assert_int_equal(do_beam_step(&b), TT_OK);
    assert_memory_equal(b.row, row, sizeof row);
    for (int i = 0; i < 6; ++i) assert_memory_equal(&b.best[i], &best[i], sizeof best[i]);
    b.beams = 1;
    assert_int_equal(do_beam_step(&b), TT_ERR_INPUT);
    b.beams = 257;
    assert_int_equal(do_beam_step(&b), TT_ERR_INPUT);
    close_beams(&b);
}

// How many continuations of the prompt precede this one.
static int continuations_before(const beams *b, const double *total, int first, tt_beam_candidate c) {
    const int k = 2 * b->beams;
    int n = 0, place = (first + c.parent) * k; // of it
    while (b->choice[place] != c.token) ++place;
    for (int text = 0; text < b->beams; ++text)
        for (int i = first * k + text * k; i < first * k + (text + 1) * k; ++i) {
            const double sum = total[first + text] + (double)b->score[i];
            n += sum > c.score || (sum == c.score && (text < c.parent || (text == c.parent && i < place)));
        }
    return n;
}

// What the contract says of the slots: a text with children leaves its own to the first; the other children take those of the
// childless texts, in their order.
static void check_slots(const beams *b, const int32_t *start, int first) {
    const tt_beam_candidate *best = b->best + 2 * first;
    int n = 0, childless[256], given = 0, free_slots = 0;
    for (int text = 0; text < b->beams; ++text) {
        int children = 0;
        for (int i = 0; i < 2 * b->beams; ++i) children += best[i].slot >= 0 && best[i].parent == text;
        if (children == 0) childless[free_slots++] = text;
    }
    for (int i = 0; i < 2 * b->beams; ++i) {
        if (best[i].token == 1 || n == b->beams) {
            assert_int_equal(best[i].slot, -1);
            continue;
        }
        const int row = first + n++;
        bool elder = false;
        for (int k = 0; k < i; ++k) elder = elder || (best[k].slot >= 0 && best[k].parent == best[i].parent);
        assert_int_equal(best[i].slot, elder ? childless[given++] : best[i].parent);
        assert_int_equal(b->start[row], start[first + best[i].slot]);
        assert_int_equal(b->parent[row], start[first + best[i].parent]);
        assert_int_equal(b->token[row], best[i].token);
        assert_int_equal(b->length[row], 8);
        assert_int_equal(b->row[row], b->start[row] + 7);
        assert_true(b->total[row] == best[i].score);
    }
    assert_int_equal(n, b->beams);
    assert_int_equal(given, free_slots);
    assert_true(b->beams < 16 || free_slots > 1);
}

// Two prompts, with many ties and ends, and texts from which none goes on.
static void beam_steps_are_sorts(void **state) {
    (void)state;
    static const int sizes[] = {2, 5, 16, 256};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
        const int n = sizes[s], k = 2 * n, rows = 2 * n;
        beams b = open_beams(2, n);
        double *total = twin_alloc((size_t)rows, sizeof *total);
        int32_t *start = twin_alloc((size_t)rows, sizeof *start);
        twin_random(b.score, (size_t)(rows * k), 5, 4);
        for (int i = 0; i < rows * k; ++i) {
            b.score[i] = roundf(b.score[i] * 4) / 4 - 4;
            for (int at = i; at % k && b.score[at] > b.score[at - 1]; --at) { // best first
                const float score = b.score[at];
                b.score[at] = b.score[at - 1], b.score[at - 1] = score;
            }
            b.choice[i] = (i % k + i / k) % k + (i / k) % 2; // each once in a text
        }
        for (int i = 0; i < rows; ++i) {
            b.left[i] = 1, b.length[i] = 7;
            b.total[i] = total[i] = i % n > 2 * n / 3 ? -INFINITY : -(double)(i % 3) / 2;
            b.start[i] = start[i] = 1000 * i + 17;
        }
        assert_int_equal(do_beam_step(&b), TT_OK);
        for (int first = 0; first < rows; first += n) {
            for (int i = 0; i < k; ++i)
                assert_int_equal(continuations_before(&b, total, first, b.best[2 * first + i]), i);
            check_slots(&b, start, first);
        }
        free(total), free(start);
        close_beams(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_softmax_matches_float64),
        cmocka_unit_test(penalties_are_hugging_faces),
        cmocka_unit_test(top_is_a_sorts_beginning),
        cmocka_unit_test(a_beam_step_by_hand),
        cmocka_unit_test(beam_steps_are_sorts),
    };
    if (tt_device_open(&device, "cpu", TT_FP32, 2) != TT_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tt_device_close(device);
    return failed;
}
