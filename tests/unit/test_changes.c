// Differences between groups of runs, matched by seed and by question.
#include "host/base/memory.h"
#include "host/report/runs/changes.h"
#include "tests/expect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool near(double x, double y) {
    return fabs(x - y) < 1e-6;
}

// right: a 1 for each question answered right.
static void answer(tt_outcomes *o, tt_report_score *score, const char *right) {
    const int n = (int)strlen(right);
    int sum = 0;
    for (int q = 0; q < n; ++q) {
        char id[16];
        snprintf(id, sizeof id, "q%d", q);
        json_t *line = json_pack("{s:s, s:s, s:[s, s], s:s, s:b}", "id", id, "question", "why?", "options",
            "x", "y", "gold", "A", "right", right[q] == '1');
        OK(tt_outcomes_add(o, line));
        json_decref(line);
        sum += right[q] == '1';
    }
    tt_outcomes_sort(o);
    *score = (tt_report_score){(double)sum / n, 0, 1, n, 0};
}

// A finished run whose greedy test answers are `right`, of a configuration that `name` stands for.
static void make_run(tt_report_run *run, const char *name, int seed, const char *right) {
    run->seed = seed;
    snprintf(run->name, sizeof run->name, "%s", name);
    snprintf(run->path, sizeof run->path, "%s-%d", name, seed);
    snprintf(run->sweep, sizeof run->sweep, "s");
    snprintf(run->variant, sizeof run->variant, "%s", name);
    for (int k = 0; k < TT_REPORT_SCORES; ++k) run->scores[k] = tt_report_score_read(NULL);
    if (right) answer(&run->outcomes[TT_REPORT_TEST], &run->scores[TT_REPORT_TEST], right);
}

static void open_runs(tt_report *r, int n) {
    *r = (tt_report){.n_runs = n};
    OK(tt_alloc(&r->runs, (size_t)n, sizeof *r->runs, "runs"));
}

static tt_report_change *only_change(const tt_report *r) {
    tt_report_change *changes;
    int n;
    OK(tt_report_changes(r, &changes, &n));
    assert_int_equal(n, 1);
    return changes;
}

// Three seeds are matched, the fourth has no partner. Intervals: scipy 1.17, stats.t.interval(0.95, n - 1,
// mean, stats.sem(x)), of the questions' mean changes x = 0, 1/3, 0, 1/3, 2/3 and of the seeds' x = 0.2, 0.4,
// 0.2.
static void seeds(void **state) {
    (void)state;
    tt_report r;
    open_runs(&r, 7);
    make_run(&r.runs[0], "a", 1, "10010");
    make_run(&r.runs[1], "a", 2, "00110");
    make_run(&r.runs[2], "a", 3, "10000");
    make_run(&r.runs[3], "b", 3, "00011");
    make_run(&r.runs[4], "b", 1, "11010");
    make_run(&r.runs[5], "b", 2, "10111");
    make_run(&r.runs[6], "b", 4, "11111");
    OK(tt_report_make_groups(&r));
    tt_report_change *c = only_change(&r);
    assert_true(c->kind == TT_CHANGE_GROUP && c->group == 1 && c->answers == TT_REPORT_TEST);
    assert_int_equal(c->pairs, 3);
    assert_int_equal(c->unpaired, 1);
    assert_true(c->questions == 5 && c->to_right == 5 && c->to_wrong == 1 && !*c->why);
    assert_true(near(c->difference, 4.0 / 15) && isnan(c->mcnemar));
    assert_true(near(c->low, -0.079616878) && near(c->high, 0.612950211));
    assert_true(near(c->seeds_low, -0.020176848) && near(c->seeds_high, 0.553510182));
    assert_ptr_equal(tt_report_partner(&r, &r.runs[3]), &r.runs[2]);
    assert_null(tt_report_partner(&r, &r.runs[6]));
    assert_null(tt_report_partner(&r, &r.runs[0]));
    free(c);

    // Of one run, its answers are of another evaluation than its result: there is a difference, but no
    // pairing.
    r.runs[5].scores[TT_REPORT_TEST].accuracy = 1;
    c = only_change(&r);
    assert_string_equal(c->why, "seed 2: stored answers: 4 of 5 right, result.json: 5 of 5");
    assert_true(near(c->difference, 1.0 / 3) && isnan(c->low) && c->questions == 0 && c->to_right == 0);
    assert_true(isfinite(c->seeds_low));
    free(c);
    tt_report_close(&r);
}

// One run on each side is a pair, whatever its seed: Tango's interval (test_paired has where it comes from).
static void one_pair(void **state) {
    (void)state;
    tt_report r;
    open_runs(&r, 2);
    make_run(&r.runs[0], "a", 1, "0000000000000000000000000000000000000000");
    make_run(&r.runs[1], "b", 7, "0111110000000000000000000000000000000000");
    answer(
        &r.runs[0].outcomes[TT_REPORT_CONTROL], &r.runs[0].scores[TT_REPORT_CONTROL], "01"); // it alone has
    OK(tt_report_make_groups(&r));
    tt_report_change *c = only_change(&r);
    assert_true(c->pairs == 1 && c->unpaired == 0 && c->to_right == 5 && c->to_wrong == 0);
    assert_true(near(c->low, 0.026425698) && near(c->high, 0.261121198) && near(c->mcnemar, 0.0625));
    assert_true(isnan(c->seeds_low) && tt_report_sure(c->low, c->high));
    free(c);
    tt_report_close(&r);

    open_runs(&r, 3); // two runs on one side: only seeds that are the same
    make_run(&r.runs[0], "a", 1, "01");
    make_run(&r.runs[1], "b", 7, "01");
    make_run(&r.runs[2], "b", 8, "01");
    OK(tt_report_make_groups(&r));
    c = only_change(&r);
    assert_true(c->pairs == 0 && c->unpaired == 3);
    assert_string_equal(c->why, "no run of the same seed");
    free(c);
    tt_report_close(&r);
}

// After reflection against before it, within a run; and votes against greedy answers.
static void within(void **state) {
    (void)state;
    tt_report r;
    tt_report_change *c;
    int n;
    open_runs(&r, 2);
    for (int i = 0; i < 2; ++i) {
        tt_report_run *run = &r.runs[i];
        make_run(run, "a", i, "11000000");
        const int before = tt_report_phase_index(run, "acquisition");
        const int after = tt_report_phase_index(run, "reflection_1");
        answer(&run->phases[before].outcomes, &run->phases[before].test, "10100000");
        run->phases[after].test = run->scores[TT_REPORT_TEST];
        if (i == 0)
            answer(&run->outcomes[TT_REPORT_TEST_VOTED], &run->scores[TT_REPORT_TEST_VOTED], "11100000");
    }
    OK(tt_report_make_groups(&r));
    OK(tt_report_changes(&r, &c, &n));
    assert_int_equal(n, 2);
    assert_true(c[0].kind == TT_CHANGE_REFLECTION && strcmp(c[0].phase, "reflection_1") == 0);
    // Both seeds changed alike, 0, 1, -1, 0, ...: no interval over seeds; over questions by Student's t.
    assert_true(c[0].pairs == 2 && c[0].to_right == 2 && c[0].to_wrong == 2 && c[0].difference == 0);
    assert_true(isnan(c[0].seeds_low) && near(c[0].high, 2.3646243 * sqrt(2.0 / 7 / 8)));
    assert_true(c[1].kind == TT_CHANGE_VOTING && c[1].pairs == 1 && c[1].to_right == 1 && c[1].to_wrong == 0);
    free(c);

    tt_outcomes_close(&r.runs[0].phases[0].outcomes); // a run of a version that did not store them
    OK(tt_report_changes(&r, &c, &n));
    assert_string_equal(c[0].why, "seed 0: answers are not stored");
    assert_true(c[0].pairs == 2 && isnan(c[0].low));
    free(c);
    tt_report_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds),
        cmocka_unit_test(one_pair),
        cmocka_unit_test(within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
