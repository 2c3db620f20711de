// A row for each group.
#include "host/report/sections/section.h"
#include "host/report/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double parameters_of(const tt_report_run *run) {
    return run->parameters;
}
static double chance_of(const tt_report_run *run) {
    return run->answers.chance;
}
static bool any_parameters(const tt_report *r) {
    for (int i = 0; i < r->n_runs; ++i)
        if (isfinite(r->runs[i].parameters)) return true;
    return false;
}

static int count_state(const tt_report *r, const tt_report_group *g, tt_report_state state) {
    int n = 0;
    for (int i = 0; i < g->n; ++i) n += r->runs[g->runs[i]].state == state;
    return n;
}

static int count_failed(const tt_report *r, const tt_report_group *g) {
    int n = 0;
    for (int i = 0; i < g->n; ++i)
        n += r->runs[g->runs[i]].state == TT_REPORT_UNFINISHED && *r->runs[g->runs[i]].failure;
    return n;
}

static int count_repeated(const tt_report *r, const tt_report_group *g) {
    int n = 0;
    for (int i = 0; i < g->n; ++i) n += r->runs[g->runs[i]].repeated;
    return n;
}

static void print_runs(tt_str *out, const tt_report *r, const tt_report_group *g) {
    const int failed = count_failed(r, g);
    const int open = count_state(r, g, TT_REPORT_UNFINISHED), damaged = count_state(r, g, TT_REPORT_DAMAGED);
    tt_str_format(out, "<td class=\"num\">%d", tt_report_counted(r, g));
    if (failed) tt_str_format(out, "<small class=\"warn\">%d failed</small>", failed);
    if (open > failed) tt_str_format(out, "<small class=\"warn\">%d unfinished</small>", open - failed);
    if (damaged) tt_str_format(out, "<small class=\"warn\">%d damaged</small>", damaged);
    if (count_repeated(r, g))
        tt_str_format(out, "<small class=\"warn\">%d repeated</small>", count_repeated(r, g));
    tt_str_append(out, "</td>");
}

static void print_row(tt_str *out, const tt_report *r, const tt_report_group *g) {
    tt_html_format(out, "<tr><th scope=\"row\"><span class=\"swatch c%d\"></span>%s</th><td>%s</td>",
        r->runs[g->runs[0]].group % TT_PLOT_COLOURS, g->label, r->runs[g->runs[0]].stages);
    print_runs(out, r, g);
    for (int k = 0; k < TT_REPORT_SCORES; ++k) {
        if (!tt_report_any_score(r, (tt_report_score_kind)k)) continue;
        const tt_report_mean m = tt_report_group_score(r, g, (tt_report_score_kind)k);
        tt_html_mean(out, &m);
    }
    if (any_parameters(r)) {
        tt_str_append(out, "<td class=\"num\">");
        tt_text_number(out, tt_report_group_number(r, g, parameters_of).mean, 0);
        tt_str_append(out, "</td>");
    }
    if (!isfinite(r->chance)) {
        tt_str_append(out, "<td class=\"num\">");
        tt_text_percent(out, tt_report_group_number(r, g, chance_of).mean);
        tt_str_append(out, "</td>");
    }
    tt_str_append(out, "<td class=\"num\">");
    tt_text_number(out, tt_report_group_number(r, g, tt_report_run_speed).mean, 0);
    tt_str_append(out, "</td><td class=\"num\">");
    tt_text_seconds(out, tt_report_group_number(r, g, tt_report_run_wall).mean);
    tt_str_append(out, "</td></tr>\n");
}

static void print_table(tt_str *out, const tt_report *r) {
    tt_str_append(out, "<div class=\"scroll\"><table>\n<thead><tr><th>group</th><th>stages</th>"
                       "<th class=\"num\">runs</th>");
    for (int k = 0; k < TT_REPORT_SCORES; ++k)
        if (tt_report_any_score(r, (tt_report_score_kind)k))
            tt_html_format(out, "<th class=\"num\">%s</th>", tt_report_score_heading(k));
    if (any_parameters(r)) tt_str_append(out, "<th class=\"num\">parameters</th>");
    if (!isfinite(r->chance)) tt_str_append(out, "<th class=\"num\">chance</th>");
    tt_str_append(
        out, "<th class=\"num\">tokens/s</th><th class=\"num\">wall time</th></tr></thead>\n<tbody>\n");
    for (int g = 0; g < r->n_groups; ++g) print_row(out, r, &r->groups[g]);
    tt_str_append(out, "</tbody></table></div>\n");
}

// The group's label, with its stages if the groups differ in them and the label does not say so.
static const char *row_label(const tt_report *r, const tt_report_group *g, tt_arena *arena) {
    const char *stages = r->runs[g->runs[0]].stages;
    bool same = true;
    for (int i = 0; i < r->n_runs; ++i)
        same = same && (tt_report_is_silent(&r->runs[i]) || strcmp(r->runs[i].stages, stages) == 0);
    if (same || strstr(g->label, stages)) return g->label;
    tt_str both = {0};
    tt_str_format(&both, "%s (%s)", g->label, stages);
    const char *copy = tt_arena_strdup(arena, tt_str_text(&both));
    tt_str_close(&both);
    return copy ? copy : g->label;
}

// The plot compares test accuracies, or best validations if no run was scored on test.
static tt_status print_plot(tt_str *out, const tt_report *r) {
    static const char *const test[2] = {"greedy", "self-consistency"};
    static const char *const validation[2] = {"best validation", NULL};
    const bool tested = tt_report_any_score(r, TT_REPORT_TEST);
    tt_plot_row *rows;
    tt_arena labels = {0};
    TT_TRY(tt_alloc(&rows, (size_t)r->n_groups, sizeof *rows, "rows of a plot"));
    int n = 0;
    for (int g = 0; g < r->n_groups; ++g) {
        const tt_report_group *group = &r->groups[g];
        tt_report_mean m[2] = {
            tt_report_group_score(r, group, tested ? TT_REPORT_TEST : TT_REPORT_BEST), {.mean = NAN}};
        if (tested) m[1] = tt_report_group_score(r, group, TT_REPORT_TEST_VOTED);
        if (!isfinite(m[0].mean) && !isfinite(m[1].mean)) continue;
        tt_plot_row *row = &rows[n++];
        *row = (tt_plot_row){.label = row_label(r, group, &labels), .colour = g};
        for (int k = 0; k < 2; ++k) {
            row->value[k] = m[k].mean;
            row->low[k] = m[k].low;
            row->high[k] = m[k].high;
        }
    }
    const bool voted = tt_report_any_score(r, TT_REPORT_TEST_VOTED);
    const tt_row_plot plot = {.title = tested ? "Test accuracy" : "Best validation accuracy",
        .legend = {tested ? test[0] : validation[0], tested && voted ? test[1] : NULL},
        .reference = r->chance,
        .reference_label = "chance",
        .rows = rows,
        .n = n};
    if (n > 0) tt_plot_rows(out, &plot);
    free(rows);
    tt_arena_close(&labels);
    return TT_OK;
}

tt_status tt_report_summary(tt_str *out, const tt_report *r) {
    print_table(out, r);
    tt_str_append(out,
        "<p class=\"fine\">In brackets: 95 % intervals. Of two or more seeds, the first is Student&#8217;s t "
        "over the seeds: what other seeds may change, with these questions. The second is Wilson&#8217;s "
        "interval of their mean over the questions of one run: what other questions may change. Of one run, "
        "or of seeds that agree exactly, it is Wilson&#8217;s interval over the questions alone. The plot "
        "draws the first interval. Checkpoints are selected on validation, so &#8220;best validation&#8221; "
        "is the largest of many values and too optimistic; nothing was selected on the test "
        "questions.</p>\n");
    return print_plot(out, r);
}
