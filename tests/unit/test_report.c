// Reports: intervals, groups, escaping, axes, and the reading of damaged lines.
#include "host/report/plot/svg.h"
#include "host/report/report.h"
#include "host/report/text.h"
#include "tests/expect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// From tables of Student's distribution, two-sided 95 %.
static void student(void **state) {
    (void)state;
    static const struct {
        int degrees;
        double t;
    } cases[] = {{1, 12.7062047}, {2, 4.3026527}, {3, 3.1824463}, {4, 2.7764451}, {5, 2.5705818},
        {9, 2.2621572}, {10, 2.2281389}, {29, 2.0452296}, {100, 1.9839715}, {100000, 1.9599877}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        assert_true(fabs(tt_student_t95(cases[i].degrees) - cases[i].t) < 1e-6);
    assert_true(isnan(tt_student_t95(0)));
}

static void means(void **state) {
    (void)state;
    const double x[] = {0.80, NAN, 0.84, 0.82}, one[] = {NAN, 0.5};
    tt_estimate e = tt_estimate_mean(x, 4);
    assert_int_equal(e.n, 3);
    assert_true(fabs(e.mean - 0.82) < 1e-12);
    assert_true(fabs(e.high - (0.82 + 4.3026527 * 0.02 / sqrt(3))) < 1e-8);
    assert_true(fabs(e.low + e.high - 1.64) < 1e-12);
    e = tt_estimate_mean(one, 2);
    assert_true(e.n == 1 && e.mean == 0.5 && isnan(e.low) && isnan(e.high));
    assert_true(isnan(tt_estimate_mean(one, 1).mean));
}

// A run as reading it would leave it.
static tt_report_run make_run(const char *name, int64_t seed, const char *stages, double accuracy) {
    tt_report_run run = {.seed = seed};
    char config[256];
    snprintf(config, sizeof config,
        "name: \"%s\"\nseed: %d\nthreads: %d\nstages: \"%s\"\nmodel:\n  d_model: 16\n", name, (int)seed,
        (int)seed + 1, stages);
    OK(tt_strdup(&run.config, config));
    OK(tt_strdup(&run.resolved, config));
    snprintf(run.name, sizeof run.name, "%s", name);
    snprintf(run.path, sizeof run.path, "runs/%s", name);
    for (int k = 0; k < TT_REPORT_SCORES; ++k) run.scores[k] = tt_report_score_read(NULL);
    run.scores[TT_REPORT_TEST] = (tt_report_score){accuracy, accuracy - 0.1, accuracy + 0.1, 100, 3};
    return run;
}

static void groups(void **state) {
    (void)state;
    tt_report r = {.n_runs = 7};
    OK(tt_alloc(&r.runs, 7, sizeof *r.runs, "runs"));
    r.runs[0] = make_run("toy-seed-2", 2, "all", 0.6);
    r.runs[1] = make_run("plain", 1, "summarize_only", 0.3);
    r.runs[2] = make_run("toy-seed-1", 1, "all", 0.5);
    r.runs[3] = make_run("toy-seed-3", 3, "all", 0.9);
    r.runs[3].state = TT_REPORT_UNFINISHED;             // not counted
    r.runs[4] = make_run("toy-seed-2b", 2, "all", 0.1); // nor is a second run of the same seed
    r.runs[5] = make_run("x", 1, "all", 0.4);           // of a sweep: its variant says where it belongs
    r.runs[6] = make_run("y", 2, "no_recall", 0.6);
    for (int i = 5; i < 7; ++i) {
        strcpy(r.runs[i].sweep, "stages");
        strcpy(r.runs[i].variant, "some");
    }
    OK(tt_report_make_groups(&r));
    assert_int_equal(r.n_groups, 3);
    assert_int_equal(r.groups[0].n, 4);
    assert_string_equal(r.groups[0].label, "toy");
    assert_string_equal(r.groups[1].label, "plain");
    assert_string_equal(r.groups[2].label, "some");
    assert_int_equal(r.groups[0].runs[0], 2); // by seed
    assert_true(r.runs[4].repeated && !r.runs[0].repeated);
    tt_report_mean m = tt_report_group_score(&r, &r.groups[0], TT_REPORT_TEST);
    assert_true(m.seeds == 2 && m.questions == 100 && fabs(m.mean - 0.55) < 1e-12);
    assert_true(m.low == 0 && m.high == 1); // 12.7 x 0.05 to both sides, cut
    // Over the questions: the roots of |0.55 - p| = 1.959964 sqrt(p (1 - p) / 100), by bisection.
    assert_true(fabs(m.questions_low - 0.452446030) < 1e-8 && fabs(m.questions_high - 0.643854620) < 1e-8);
    m = tt_report_group_score(&r, &r.groups[1], TT_REPORT_TEST);
    assert_true(m.seeds == 1 && fabs(m.low - 0.2) < 1e-12); // its own interval, which is over questions
    assert_true(isnan(m.questions_low) && isnan(m.questions_high));
    m = tt_report_group_score(&r, &r.groups[0], TT_REPORT_CONTROL);
    assert_true(m.seeds == 0 && isnan(m.mean));
    tt_report_close(&r);
}

static void escaping(void **state) {
    (void)state;
    static const struct {
        const char *text, *html;
    } cases[] = {{"<b> & \"c\" 'd'", "&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;"}, {"caf\u00e9", "caf\u00e9"},
        {"a\x01z", "a\uFFFDz"}, {"cut \xc3", "cut \uFFFD"}, {"\xffx", "\uFFFDx"},
        {"\xef\xbf\xbf", "\uFFFD\uFFFD\uFFFD"}, {"\U0001F600", "\U0001F600"}};
    tt_str out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        tt_str_clear(&out);
        tt_html_text(&out, cases[i].text);
        assert_string_equal(tt_str_text(&out), cases[i].html);
    }
    tt_str_clear(&out);
    tt_html_format(&out, "<i>%s</i> %d 100%%", "<", 7);
    assert_string_equal(tt_str_text(&out), "<i>&lt;</i> 7 100%");
    tt_str_clear(&out);
    tt_csv_text(&out, "a,\"b\"\n");
    assert_string_equal(tt_str_text(&out), "\"a,\"\"b\"\"\n\"");
    tt_str_clear(&out);
    tt_markdown_text(&out, "a|b\nc");
    assert_string_equal(tt_str_text(&out), "a\\|b c");
    tt_str_clear(&out);
    tt_text_percent(&out, NAN);
    tt_text_number(&out, INFINITY, 1);
    assert_string_equal(tt_str_text(&out), TT_REPORT_DASH TT_REPORT_DASH);
    tt_str_close(&out);
}

static void ticks(void **state) {
    (void)state;
    double t[TT_TICKS];
    int decimals;
    assert_int_equal(tt_ticks(0, 1, 5, t, &decimals), 6);
    assert_true(decimals == 1 && t[0] == 0 && fabs(t[3] - 0.6) < 1e-12);
    assert_int_equal(tt_ticks(-3, 4480, 6, t, &decimals), 5);
    assert_true(decimals == 0 && t[1] == 1000);
    assert_int_equal(tt_ticks(1, 1, 5, t, &decimals), 0);
    assert_int_equal(tt_ticks(0, NAN, 5, t, &decimals), 0);
    for (double width = 1e-7; width < 1e9; width *= 3.7) {
        const int n = tt_ticks(-width / 3, width, 5, t, &decimals);
        assert_true(n >= 2 && n <= TT_TICKS);
        for (int i = 0; i < n; ++i) assert_true(t[i] >= -width / 3 * 1.0001 && t[i] <= width * 1.0001);
    }
    assert_int_equal(tt_ticks_log(0.004, 0.6, t), 7); // 0.005 0.01 0.02 0.05 0.1 0.2 0.5
    assert_true(fabs(t[0] - 0.005) < 1e-12 && fabs(t[6] - 0.5) < 1e-12);
    assert_int_equal(tt_ticks_log(0, 1, t), 0);
    const int n = tt_ticks_log(1e-30, 1e30, t);
    assert_true(n > 2 && n <= TT_TICKS);
}

// A point that is not a number breaks a line and never reaches the page.
static void plots(void **state) {
    (void)state;
    double x[] = {1, 2, 3, 4}, y[] = {0.5, NAN, INFINITY, 0.7};
    const tt_plot plot = {.title = "a < b", .reference = NAN};
    const tt_plot_series s = {.label = "x & y", .x = x, .y = y, .n = 4, .dots = true};
    tt_str out = {0};
    tt_plot_lines(&out, &plot, &s, 1);
    assert_null(strstr(tt_str_text(&out), "nan"));
    assert_null(strstr(tt_str_text(&out), "inf"));
    assert_non_null(strstr(tt_str_text(&out), "a &lt; b"));
    assert_non_null(strstr(tt_str_text(&out), "x &amp; y"));
    tt_str_clear(&out);
    const tt_plot_series none = {.x = x, .y = y + 1, .n = 2};
    tt_plot_lines(&out, &plot, &none, 1);
    assert_non_null(strstr(tt_str_text(&out), "nothing to draw"));
    tt_str_close(&out);
}

static tt_status take(tt_report_run *run, const json_t *object, void *sum) {
    (void)run;
    const double loss = tt_report_number(object, "loss");
    *(double *)sum += isnan(loss) ? 1000 : loss;
    return TT_OK;
}

static void lines(void **state) {
    (void)state;
    static const char text[] =
        "{\"loss\": 1}\n{\"loss\": nan, \"b\": -inf}\n\n{\"loss\": 2\n[3]\n{\"loss\": 4}\n"
        "{\"loss\": 8,\"votes\":2,\"long\":[\"not JSON\n{\"loss\": 16,\"long\":0}";
    tt_report_run run = {.path = "."};
    double sum = 0;
    OK(tt_write_file("report_lines.jsonl", text, strlen(text)));
    tt_report_lines file = {.file = "report_lines.jsonl",
        .mark = "\"votes\":",
        .cut = ",\"long\":",
        .take = take,
        .context = &sum};
    OK(tt_report_read_lines(&run, &file));
    assert_true(sum == 1029);
    assert_int_equal(run.damaged_lines, 2);
    file = (tt_report_lines){.file = "there is none.jsonl", .take = take, .context = &sum};
    OK(tt_report_read_lines(&run, &file));
    remove("report_lines.jsonl");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(student),
        cmocka_unit_test(means),
        cmocka_unit_test(groups),
        cmocka_unit_test(escaping),
        cmocka_unit_test(ticks),
        cmocka_unit_test(plots),
        cmocka_unit_test(lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
