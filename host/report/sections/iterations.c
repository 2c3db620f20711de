// Accuracy after acquisition and after each iteration of preference training.
#include "host/report/runs/changes.h"
#include "host/report/sections/section.h"
#include "host/report/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct phase_names {
    const char *items[TT_REPORT_PHASES];
    int n;
} phase_names;

// Acquisition comes first, then the iterations by number: the order of the alphabet, with numbers as numbers.
static int by_number(const void *a, const void *b) {
    return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

static phase_names names_of(const tt_report *r) {
    phase_names names = {0};
    for (int i = 0; i < r->n_runs; ++i)
        for (int p = 0; p < r->runs[i].n_phases; ++p) {
            const char *name = r->runs[i].phases[p].name;
            bool known = strcmp(name, "pretraining") == 0;
            for (int k = 0; k < names.n && !known; ++k) known = strcmp(names.items[k], name) == 0;
            if (!known && names.n < TT_REPORT_PHASES) names.items[names.n++] = name;
        }
    qsort(names.items, (size_t)names.n, sizeof names.items[0], by_number);
    return names;
}

static bool any_test(const tt_report *r) {
    for (int i = 0; i < r->n_runs; ++i)
        for (int p = 0; p < r->runs[i].n_phases; ++p)
            if (r->runs[i].phases[p].test.n > 0) return true;
    return false;
}

// Mean over seeds of the difference between the phase's score and that of the run's first phase.
static tt_estimate gain_of_phase(
    const tt_report *r, const tt_report_group *g, const char *first, const char *name, bool test) {
    double values[g->n];
    int n = 0;
    for (int i = 0; i < g->n; ++i) {
        const tt_report_run *run = &r->runs[g->runs[i]];
        const tt_report_phase *before = tt_report_phase_of(run, first),
                              *after = tt_report_phase_of(run, name);
        if (!tt_report_counts(run) || !before || !after) continue;
        values[n++] = test ? after->test.accuracy - before->test.accuracy
                           : after->best.accuracy - before->best.accuracy;
    }
    return tt_estimate_mean(values, n);
}

static double pairs_of(const tt_report *r, const tt_report_group *g, const char *phase, const char *key) {
    double values[g->n];
    int n = 0;
    for (int i = 0; i < g->n; ++i) {
        const tt_report_phase *p = tt_report_phase_of(&r->runs[g->runs[i]], phase);
        if (p && tt_report_counts(&r->runs[g->runs[i]])) values[n++] = tt_report_number(p->pairs, key);
    }
    return tt_estimate_mean(values, n).mean;
}

// The names of the counts that phases have of their pairs, in the order of their first occurrence.
enum { COUNTS = 8 };
typedef struct count_names {
    const char *items[COUNTS];
    int n;
} count_names;

static count_names counts_of(const tt_report *r) {
    count_names names = {0};
    for (int i = 0; i < r->n_runs; ++i)
        for (int p = 0; p < r->runs[i].n_phases; ++p) {
            const char *key;
            json_t *value;
            json_object_foreach((json_t *)r->runs[i].phases[p].pairs, key, value) {
                bool known = !json_is_number(value);
                for (int k = 0; k < names.n && !known; ++k) known = strcmp(names.items[k], key) == 0;
                if (!known && names.n < COUNTS) names.items[names.n++] = key;
            }
        }
    return names;
}

// Number of runs of the group whose iteration kept the student it began with.
static int count_keepers(const tt_report *r, const tt_report_group *g, const char *phase) {
    int n = 0;
    for (int i = 0; i < g->n; ++i) {
        const tt_report_phase *p = tt_report_phase_of(&r->runs[g->runs[i]], phase);
        n += p && tt_report_counts(&r->runs[g->runs[i]]) && p->kept_reference;
    }
    return n;
}

static bool all_skipped(const tt_report *r, const tt_report_group *g, const char *phase) {
    bool any = false;
    for (int i = 0; i < g->n; ++i) {
        const tt_report_phase *p = tt_report_phase_of(&r->runs[g->runs[i]], phase);
        if (p && !p->skipped) return false;
        any = any || p;
    }
    return any;
}

static void print_gain(tt_str *out, tt_estimate e) {
    tt_str_append(out, "<td class=\"num\">");
    if (isfinite(e.mean))
        tt_str_format(out, "%+.1f", 100 * e.mean);
    else
        tt_str_append(out, TT_REPORT_DASH);
    if (isfinite(e.low)) tt_str_format(out, " [%+.1f, %+.1f]", 100 * e.low, 100 * e.high);
    tt_str_append(out, "</td>");
}

// Contents of the table: phases in rows, test or validation scores, and the paired differences.
typedef struct table {
    const phase_names *names;
    bool test;
    const tt_report_change *changes;
    int n_changes;
} table;

static const tt_report_change *change_of(const table *t, int group, const char *phase) {
    for (int i = 0; i < t->n_changes && t->test; ++i)
        if (t->changes[i].kind == TT_CHANGE_REFLECTION && t->changes[i].group == group &&
            strcmp(t->changes[i].phase, phase) == 0)
            return &t->changes[i];
    return NULL;
}

static void print_small(tt_str *out, double low, double high, const char *over) {
    if (!isfinite(low)) return;
    tt_str_format(out, "<small%s>", tt_report_sure(low, high) ? " class=\"sure\"" : "");
    tt_text_points_interval(out, low, high);
    tt_str_format(out, " %s</small>", over);
}

static void print_change(tt_str *out, const tt_report_change *c) {
    tt_str_append(out, "<td class=\"num\">");
    tt_text_points(out, c->difference);
    print_small(out, c->low, c->high, "over questions");
    print_small(out, c->seeds_low, c->seeds_high, "over seeds");
    if (*c->why) tt_html_format(out, "<small class=\"warn\">%s</small>", c->why);
    if (c->questions > 0)
        tt_str_format(out, "<small>%lld to right, %lld to wrong</small>", (long long)c->to_right,
            (long long)c->to_wrong);
    tt_str_append(out, "</td>");
}

static void print_row(tt_str *out, const tt_report *r, const tt_report_group *g, const table *t, int k) {
    const phase_names *names = t->names;
    const count_names counts = counts_of(r);
    const tt_report_mean score = tt_report_group_phase(r, g, names->items[k], true),
                         best = tt_report_group_phase(r, g, names->items[k], false);
    const bool skipped = all_skipped(r, g, names->items[k]);
    if (score.seeds == 0 && best.seeds == 0 && !skipped) return;
    const int kept = count_keepers(r, g, names->items[k]);
    tt_html_format(out, "<tr><th scope=\"row\">%s</th><td>%s%s", g->label, names->items[k],
        skipped ? ": skipped, no pairs" : "");
    if (kept > 0)
        tt_str_format(
            out, "<small>%d of %d kept the student they began with: no cycle did better</small>", kept, g->n);
    tt_str_append(out, "</td>");
    tt_html_mean(out, &score);
    tt_html_mean(out, &best);
    const tt_report_change *change = change_of(t, (int)(g - r->groups), names->items[k]);
    if (change)
        print_change(out, change);
    else if (k == 0)
        tt_str_append(out, "<td></td>");
    else
        print_gain(out, gain_of_phase(r, g, names->items[0], names->items[k], t->test));
    for (int i = 0; i < counts.n; ++i) {
        tt_str_append(out, "<td class=\"num\">");
        if (k > 0) tt_text_number(out, pairs_of(r, g, names->items[k], counts.items[i]), 0);
        tt_str_append(out, "</td>");
    }
    tt_str_append(out, "</tr>\n");
}

static void print_table(tt_str *out, const tt_report *r, const table *t) {
    tt_str_append(out, "<div class=\"scroll\"><table>\n<thead><tr><th>group</th><th>phase</th>"
                       "<th class=\"num\">test, greedy</th><th class=\"num\">best validation</th>");
    tt_html_format(
        out, "<th class=\"num\">%s: gain over %s</th>", t->test ? "test" : "validation", t->names->items[0]);

    const count_names counts = counts_of(r);
    for (int i = 0; i < counts.n; ++i) {
        tt_str heading = {0};
        for (const char *c = counts.items[i]; *c; ++c) tt_str_append_n(&heading, *c == '_' ? " " : c, 1);
        const bool pairs = strcmp(counts.items[i], "recall") == 0 || strcmp(counts.items[i], "analyze") == 0;
        tt_html_format(out, "<th class=\"num\">%s%s</th>", tt_str_text(&heading), pairs ? " pairs" : "");
        tt_str_close(&heading);
    }
    tt_str_append(out, "</tr></thead>\n<tbody>\n");
    for (int g = 0; g < r->n_groups; ++g)
        for (int k = 0; k < t->names->n; ++k) print_row(out, r, &r->groups[g], t, k);
    tt_str_append(out, "</tbody></table></div>\n");
}

static tt_status draw_phases(tt_str *out, const tt_report *r, const phase_names *names, bool test) {
    tt_plot_list list = {0};
    tt_status status = TT_OK;
    const double spread = fmin(0.08, 0.5 / r->n_groups); // so that groups do not cover each other
    for (int g = 0; g < r->n_groups && status == TT_OK; ++g) {
        tt_plot_series *s;
        status = tt_plot_add(&list, names->n, true, &s);
        for (int k = 0; k < names->n && status == TT_OK; ++k) {
            const tt_report_mean m = tt_report_group_phase(r, &r->groups[g], names->items[k], test);
            if (!isfinite(m.mean)) continue;
            s->x[s->n] = k + spread * (g - (r->n_groups - 1) / 2.0);
            s->y[s->n] = m.mean;
            s->low[s->n] = m.low;
            s->high[s->n++] = m.high;
        }
        if (status != TT_OK) break;
        if (s->n == 0) {
            list.n--;
            continue;
        }
        tt_report_dress(r, &r->runs[r->groups[g].runs[0]], true, s);
        s->faint = false;
        s->dots = true;
    }
    const tt_plot plot = {.title = test ? "Test accuracy of each phase's best checkpoint"
                                        : "Best validation accuracy of each phase",
        .percent = true,
        .reference = NAN, // chance is far below and would press the lines together
        .x_names = names->items,
        .n_x_names = names->n};
    if (status == TT_OK && list.n > 0) {
        tt_str_append(out, "<div class=\"plots one\">\n");
        tt_plot_lines(out, &plot, list.items, (int)list.n);
        tt_str_append(out, "</div>\n");
    }
    tt_plot_list_close(&list);
    return status;
}

tt_status tt_report_iterations(tt_str *out, const tt_report *r) {
    const phase_names names = names_of(r);
    bool preference = false;
    for (int i = 0; i < r->n_runs; ++i)
        for (int p = 0; p < r->runs[i].n_phases; ++p)
            preference = preference || r->runs[i].phases[p].preference;
    if (!preference || names.n < 2) return TT_OK;
    const bool test = any_test(r);
    tt_str_append(out,
        "<p>Greedy answers of the best checkpoint of each phase, selected on validation. Intervals are 95 %, "
        "computed as in the summary; the gain, in percentage points, is computed within each run and then "
        "averaged over seeds.</p>\n");
    table t = {.names = &names, .test = test};
    tt_report_change *changes = NULL;
    if (test) TT_TRY(tt_report_changes(r, &changes, &t.n_changes));
    t.changes = changes;
    print_table(out, r, &t);
    bool any = false;
    for (int i = 0; i < t.n_changes; ++i) any = any || changes[i].kind == TT_CHANGE_REFLECTION;
    if (any) tt_report_explain_changes(out);
    free(changes);
    return draw_phases(out, r, &names, test);
}
