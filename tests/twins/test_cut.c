// The cut of top k and top p keeps what sorting keeps, wherever it falls.
#include "kernels/cpu/cut.h"
#include "tests/twins/twin.h"

#include <stdlib.h>
#include <string.h>

static const float *sorted_logits;

static int by_logit(const void *a, const void *b) {
    const int x = *(const int *)a, y = *(const int *)b;
    const float p = sorted_logits[x], q = sorted_logits[y];
    return p != q ? (p < q) - (p > q) : x - y;
}

typedef struct row {
    int n;
    float *x, *weight, *before;
    int *order; // ids of positive weight, the largest logits first
    int positive;
    void *memory;
} row;

static row open_row(int n, const float *x, float factor) {
    row r = {.n = n,
        .x = twin_alloc(n, sizeof *r.x),
        .weight = twin_alloc(n, sizeof *r.weight),
        .before = twin_alloc(n, sizeof *r.before),
        .order = twin_alloc(n, sizeof *r.order),
        .memory = twin_alloc(tt_cut_bytes(n), 1)}; // no more than it asks for: sanitizers watch
    memcpy(r.x, x, (size_t)n * sizeof *x);
    for (int i = 0; i < n; ++i) r.order[i] = i;
    sorted_logits = r.x;
    qsort(r.order, (size_t)n, sizeof *r.order, by_logit);
    for (int i = 0; i < n; ++i) {
        r.before[i] = (float)exp(((double)x[i] - (double)x[r.order[0]]) * (double)factor);
        if (r.before[i] > 0) ++r.positive;
    }
    return r;
}

static void close_row(row *r) {
    free(r->x), free(r->weight), free(r->before), free(r->order), free(r->memory);
}

// Cuts so that the `kept` largest stay: the goal lies between their measure and that of one fewer.
static void keeps_the_largest(const row *r, float factor, bool count, int kept) {
    double measure = 0;
    for (int i = 0; i < kept - 1; ++i) measure += count ? 1 : (double)r->before[r->order[i]];
    const double last = count ? 1 : (double)r->before[r->order[kept - 1]];
    memcpy(r->weight, r->before, (size_t)r->n * sizeof *r->weight);
    tt_cut_weights(&(tt_cut_row){.n = r->n,
                       .x = r->x,
                       .weight = r->weight,
                       .top = r->x[r->order[0]],
                       .factor = factor,
                       .memory = r->memory},
        count, measure + last / 2);
    for (int i = 0; i < r->n; ++i) {
        const int id = r->order[i];
        const float want = i < kept ? r->before[id] : 0;
        if (r->weight[id] != want)
            fail_msg("n %d, factor %g, %s, %d kept: weight of id %d, the %dth, is %g, not %g", r->n,
                (double)factor, count ? "count" : "weight", kept, id, i, (double)r->weight[id], (double)want);
    }
}

// Spreads: all in the first bins; in the fine ones; in the coarse ones; most beyond the last; of weight 0.
static void keeps_what_sorting_keeps(void **state) {
    (void)state;
    static const float spreads[] = {0.01f, 2, 12, 40, 300};
    static const int sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 255, 3001};
    static const int cuts[] = {1, 2, 3, 10, 100, 1000, 2990, 3001};
    for (size_t k = 0; k < sizeof spreads / sizeof *spreads; ++k)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
            const int n = sizes[s];
            float x[3001];
            twin_random(x, n, 20 + k, spreads[k]);
            for (int i = 0; i < n; i += 5) x[i] = x[i / 10 * 10]; // equals, here and there
            if (n > 20) x[3] = x[19] = -INFINITY, x[7] = 0.0f, x[8] = -0.0f;
            for (int scaled = 0; scaled < 2; ++scaled) {
                const float factor = scaled ? 0.3f : 1;
                row r = open_row(n, x, factor);
                for (size_t c = 0; c < sizeof cuts / sizeof *cuts; ++c) {
                    if (cuts[c] > r.positive) continue;
                    keeps_the_largest(&r, factor, true, cuts[c]);
                    // Where the last of them is too small to show in a sum of doubles, its weight decides nothing.
                    if (r.before[r.order[cuts[c] - 1]] > 1e-9f) keeps_the_largest(&r, factor, false, cuts[c]);
                }
                close_row(&r);
            }
        }
}

// Each edge of a bin: at distances where the width changes, where the last bin begins, and beyond.
static void equals_are_cut_by_id_at_every_distance(void **state) {
    (void)state;
    enum { N = 100 };
    static const float distances[] = {0, 0.03125f, 4.96875f, 5, 5.25f, 28.5f, 28.75f, 29, 80};
    for (size_t k = 0; k < sizeof distances / sizeof *distances; ++k) {
        float x[N];
        for (int i = 0; i < N; ++i) x[i] = 2 - distances[k];
        x[50] = 2, x[60] = x[61] = 2 - nextafterf(distances[k], 1000), x[70] = -200;
        row r = open_row(N, x, 1);
        for (int kept = 1; kept <= N; ++kept) {
            if (kept > r.positive) break;
            keeps_the_largest(&r, 1, true, kept);
            if (distances[k] < 20) keeps_the_largest(&r, 1, false, kept);
        }
        close_row(&r);
    }
}

// A goal that rounding puts above the sum of all keeps all.
static void a_goal_beyond_the_sum_keeps_all(void **state) {
    (void)state;
    enum { N = 5 };
    const float x[N] = {
        1, 0, -INFINITY, -3.001f, -3}; // the last two share a bin: the search ends at the smaller one
    row r = open_row(N, x, 1);
    memcpy(r.weight, r.before, N * sizeof *r.weight);
    const tt_cut_row cut = {.n = N, .x = r.x, .weight = r.weight, .top = 1, .factor = 1, .memory = r.memory};
    tt_cut_weights(&cut, false, 100);
    assert_memory_equal(r.weight, r.before, N * sizeof *r.weight);
    tt_cut_weights(&cut, true, N);
    assert_memory_equal(r.weight, r.before, N * sizeof *r.weight);
    close_row(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_sorting_keeps),
        cmocka_unit_test(equals_are_cut_by_id_at_every_distance),
        cmocka_unit_test(a_goal_beyond_the_sum_keeps_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
