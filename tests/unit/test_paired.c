// Paired answers: intervals, tests, matching of questions.
#include "host/lab/outcomes.h"
#include "host/lab/paired.h"
#include "tests/expect.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

// Ends: Python 3.11, scipy 1.17. The likelihood of (b, c, n - b - c) given a difference was maximised by
// scipy.optimize.minimize_scalar (not by Tango's closed form), and the roots of the score were found by
// brentq. p: scipy.stats.binomtest and statsmodels' mcnemar(exact=True), which agree.
static const struct {
    int b, c, n;
    double low, high, p;
} cases[] = {
    {9, 7, 1000, -0.006507358, 0.010872417, 0.803619385},
    {30, 12, 229, 0.024159056, 0.135964250, 0.00791589733},
    {12, 656, 1000, -0.674326341, -0.611961058, 2.48203973e-176},
    {0, 0, 1000, -0.003826758, 0.003826758, 1},
    {5, 0, 40, 0.026425698, 0.261121198, 0.0625},
    {0, 3, 10, -0.603221853, 0.060792637, 0.25},
    {10, 0, 10, 0.444934400, 1, 0.001953125},
    {1, 0, 1, -0.586901371, 1, 1},
    {3, 1, 44, -0.061306503, 0.164313398, 0.625},
    {120, 80, 1221, 0.010148150, 0.055684652, 0.005685156},
    {50, 50, 100, -0.192336939, 0.192336939, 1},
};

static void intervals(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        double low, high;
        tt_paired_interval(cases[i].b, cases[i].c, cases[i].n, &low, &high);
        assert_true(fabs(low - cases[i].low) < 1e-8 && fabs(high - cases[i].high) < 1e-8);
        const double p = tt_mcnemar(cases[i].b, cases[i].c);
        assert_true(fabs(p - cases[i].p) <= 1e-8 * cases[i].p);
    }
    double low, high;
    tt_paired_interval(0, 0, 0, &low, &high);
    assert_true(isnan(low) && isnan(high));
    assert_true(tt_mcnemar(0, 0) == 1);
}

// 0 is left out exactly where (b - c)^2 / (b + c) > 3.841459 (of b + c = 25: from 17 to 8 on, 81 / 25 = 3.24,
// to 18 to 7, 121 / 25 = 4.84), whatever n is; and the interval turns round with the pair.
static void borders(void **state) {
    (void)state;
    for (int n = 25; n < 3000; n += 97) {
        double low, high, other_low, other_high;
        tt_paired_interval(17, 8, n, &low, &high);
        assert_true(low < 0 && high > 0);
        tt_paired_interval(18, 7, n, &low, &high);
        assert_true(low > 0 && high > low);
        tt_paired_interval(7, 18, n, &other_low, &other_high);
        assert_true(other_low == -high && other_high == -low);
    }
}

static void add(tt_outcomes *o, const char *line) {
    json_t *object = json_loads(line, 0, NULL);
    assert_non_null(object);
    OK(tt_outcomes_add(o, object));
    json_decref(object);
}

static void sort_all(tt_outcomes *const *all, int n) {
    for (int i = 0; i < n; ++i) tt_outcomes_sort(all[i]);
}

#define LINE(id, question, answer, right)                                                                    \
    "{\"id\": \"" id "\", \"question\": \"" question "\", \"options\": [\"x\", \"y\"], \"gold\": \"A\", "    \
    "\"answer\": " answer ", \"right\": " right "}"

static void pairs(void **state) {
    (void)state;
    tt_outcomes before = {0}, after = {0}, fewer = {0}, others = {0}, twice = {0}, none = {0};
    tt_paired p;
    char why[TT_PAIRED_WHY];
    add(&before, LINE("q1", "one?", "\"A\"", "true"));
    add(&before, LINE("q2", "two?", "null", "false")); // unreadable: wrong
    add(&before, LINE("q3", "three?", "\"B\"", "false"));
    add(&before, LINE("q4", "four?", "\"A\"", "true"));
    add(&after, LINE("q4", "four?", "null", "false")); // in another order
    add(&after, LINE("q3", "three?", "\"A\"", "true"));
    add(&after, LINE("q1", "one?", "\"A\"", "true"));
    add(&after, LINE("q2", "two?", "\"A\"", "true"));
    sort_all((tt_outcomes *const[]){&before, &after}, 2);
    assert_true(tt_outcomes_pair(&before, &after, &p, why));
    assert_true(p.n == 4 && p.to_right == 2 && p.to_wrong == 1);
    assert_true(tt_outcomes_pair(&after, &before, &p, why));
    assert_true(p.n == 4 && p.to_right == 1 && p.to_wrong == 2);

    add(&fewer, LINE("q1", "one?", "\"A\"", "true"));
    add(&fewer, LINE("q2", "two?", "\"A\"", "true"));
    tt_outcomes_sort(&fewer);
    assert_false(tt_outcomes_pair(&before, &fewer, &p, why));
    assert_string_equal(why, "other questions: 2 in common of 4 and 2");
    add(&others, LINE("q1", "one?", "\"A\"", "true"));
    add(&others, LINE("q2", "another two?", "\"A\"", "true"));
    tt_outcomes_sort(&others);
    assert_false(tt_outcomes_pair(&fewer, &others, &p, why));
    assert_string_equal(why, "1 of 2 questions with the same ids differ");
    add(&twice, LINE("q1", "one?", "\"A\"", "true"));
    add(&twice, LINE("q1", "one?", "\"A\"", "true"));
    tt_outcomes_sort(&twice);
    assert_false(tt_outcomes_pair(&fewer, &twice, &p, why));
    assert_string_equal(why, "question ids are repeated");
    assert_false(tt_outcomes_pair(&before, &none, &p, why));
    assert_string_equal(why, "answers are not stored");
    assert_false(tt_outcomes_pair(&none, &none, &p, why));
    tt_outcomes_close(&before);
    tt_outcomes_close(&after);
    tt_outcomes_close(&fewer);
    tt_outcomes_close(&others);
    tt_outcomes_close(&twice);
}

// What was taught counts as the right option, where it is told: the same question with two right options is
// two.
static void taught(void **state) {
    (void)state;
    static const char gold[] = LINE("q1", "one?", "\"B\"", "false");
    static const char other[] =
        "{\"id\": \"q1\", \"question\": \"one?\", \"options\": [\"x\", \"y\"], \"gold\": \"A\", "
        "\"taught\": \"B\", \"answer\": \"B\", \"right\": true}";
    tt_outcomes before = {0}, after = {0};
    tt_paired p;
    char why[TT_PAIRED_WHY];
    add(&before, gold);
    add(&after, other);
    sort_all((tt_outcomes *const[]){&before, &after}, 2);
    assert_false(tt_outcomes_pair(&before, &after, &p, why));
    assert_string_equal(why, "1 of 1 questions with the same ids differ");
    tt_outcomes_close(&before);
    tt_outcomes_close(&after);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals),
        cmocka_unit_test(borders),
        cmocka_unit_test(pairs),
        cmocka_unit_test(taught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
