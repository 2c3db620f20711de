// Curves over training steps.
#include "host/report/sections/section.h"
#include "host/report/text.h"

#include <math.h>
#include <string.h>

enum { PARTS = 100 };

int tt_report_marks(const tt_report *r, bool preference, tt_plot_mark *out) {
    int n = 0;
    for (int i = 0; i < r->n_runs; ++i)
        for (int p = preference ? 0 : 1; p < r->runs[i].n_phases; ++p) {
            const tt_report_phase *phase = &r->runs[i].phases[p];
            bool known = preference && !phase->preference;
            for (int k = 0; k < n && !known; ++k)
                known = out[k].x == (double)phase->offset && strcmp(out[k].label, phase->name) == 0;
            if (!known && n < TT_REPORT_MARKS) out[n++] = (tt_plot_mark){(double)phase->offset, phase->name};
        }
    return n;
}

void tt_report_dress(const tt_report *r, const tt_report_run *run, bool first, tt_plot_series *series) {
    series->colour = run->group % TT_PLOT_COLOURS;
    series->dashed = run->group / TT_PLOT_COLOURS % 2;
    series->faint = r->groups[run->group].n > 1;
    series->label = first ? r->groups[run->group].label : NULL;
}

static bool belongs_to_curve(const tt_report_run *run, const tt_report_step *s, const tt_report_curve *c) {
    return s->stage == c->stage && run->phases[s->phase].preference == c->preference &&
           isfinite(s->value[c->metric]);
}

bool tt_report_has_steps(const tt_report *r, const tt_report_curve *curve) {
    for (int i = 0; i < r->n_runs; ++i)
        for (size_t k = 0; k < r->runs[i].n_steps; ++k)
            if (belongs_to_curve(&r->runs[i], &r->runs[i].steps[k], curve)) return true;
    return false;
}

// Adds the mean of the points that were summed up to the series.
static void close_part(tt_plot_series *s, double *x, double *y, int *in_part) {
    if (*in_part == 0) return;
    s->x[s->n] = *x / *in_part;
    s->y[s->n++] = *y / *in_part;
    *x = *y = *in_part = 0;
}

static tt_status add_curve(
    const tt_report_run *run, const tt_report_curve *curve, tt_plot_list *list, tt_plot_series **out) {
    int n = 0, in_part = 0, each;
    for (size_t k = 0; k < run->n_steps; ++k) n += belongs_to_curve(run, &run->steps[k], curve);
    *out = NULL;
    if (n == 0) return TT_OK;
    TT_TRY(tt_plot_add(list, 2 * n, false, out));
    tt_plot_series *s = *out;
    each = (n + PARTS - 1) / PARTS;
    double x = 0, y = 0;
    int phase = -1;
    for (size_t k = 0; k < run->n_steps; ++k) {
        const tt_report_step *step = &run->steps[k];
        if (!belongs_to_curve(run, step, curve)) continue;
        if (step->phase != phase) {
            close_part(s, &x, &y, &in_part);
            if (s->n > 0) { // the line ends with its phase
                s->x[s->n] = NAN;
                s->y[s->n++] = NAN;
            }
            phase = step->phase;
        }
        x += (double)(run->phases[step->phase].offset + step->step);
        y += step->value[curve->metric];
        if (++in_part == each) close_part(s, &x, &y, &in_part);
    }
    close_part(s, &x, &y, &in_part);
    return TT_OK;
}

tt_status tt_report_add_curves(const tt_report *r, const tt_report_curve *curve, tt_plot_list *list) {
    for (int g = 0; g < r->n_groups; ++g) {
        bool first = true;
        for (int i = 0; i < r->groups[g].n; ++i) {
            const tt_report_run *run = &r->runs[r->groups[g].runs[i]];
            tt_plot_series *series;
            TT_TRY(add_curve(run, curve, list, &series));
            if (!series) continue;
            tt_report_dress(r, run, first, series);
            first = false;
        }
    }
    return TT_OK;
}

static tt_status draw_losses(tt_str *out, const tt_report *r) {
    for (int stage = 0; stage < r->stages.n; ++stage) {
        const tt_report_curve curve = {.stage = stage, .metric = TT_REPORT_METRIC_LOSS};
        if (!tt_report_has_steps(r, &curve)) continue;
        tt_plot_list list = {0};
        tt_plot_mark marks[TT_REPORT_MARKS];
        tt_str title = {0};
        tt_str_format(&title, "Training loss: %s", r->stages.items[stage]);
        tt_status status = tt_report_add_curves(r, &curve, &list);
        const tt_plot plot = {.title = tt_str_text(&title),
            .x_label = "step",
            .whole = true,
            .may_be_log = true,
            .reference = NAN,
            .marks = marks,
            .n_marks = tt_report_marks(r, false, marks)};
        if (status == TT_OK) tt_plot_lines(out, &plot, list.items, (int)list.n);
        tt_plot_list_close(&list);
        tt_str_close(&title);
        TT_TRY(status);
    }
    return TT_OK;
}

static tt_status add_validations(
    const tt_report *r, const tt_report_run *run, bool first, bool intervals, tt_plot_list *list) {
    tt_plot_series *s;
    TT_TRY(tt_plot_add(list, (int)run->n_validations, intervals, &s));
    for (size_t k = 0; k < run->n_validations; ++k) {
        const tt_report_validation *v = &run->validations[k];
        if (v->score.n == 0) continue;
        s->x[s->n] = (double)(run->phases[v->phase].offset + v->step);
        s->y[s->n] = v->score.accuracy;
        if (intervals) {
            s->low[s->n] = v->score.low;
            s->high[s->n] = v->score.high;
        }
        s->n++;
    }
    s->dots = s->n <= 40;
    tt_report_dress(r, run, first, s);
    return TT_OK;
}

static bool has_validation(const tt_report_run *run) {
    for (size_t k = 0; k < run->n_validations; ++k)
        if (run->validations[k].score.n > 0) return true;
    return false;
}

static tt_status draw_validations(tt_str *out, const tt_report *r) {
    tt_plot_list list = {0};
    tt_plot_mark marks[TT_REPORT_MARKS];
    tt_status status = TT_OK;
    int runs = 0;
    for (int i = 0; i < r->n_runs; ++i) runs += has_validation(&r->runs[i]);
    for (int g = 0; g < r->n_groups; ++g) {
        bool first = true;
        for (int i = 0; i < r->groups[g].n && status == TT_OK; ++i) {
            const tt_report_run *run = &r->runs[r->groups[g].runs[i]];
            if (!has_validation(run)) continue;
            status = add_validations(r, run, first, runs <= 2, &list);
            first = false;
        }
    }
    const tt_plot plot = {.title = "Validation accuracy",
        .x_label = "step",
        .percent = true,
        .whole = true,
        .reference = r->chance,
        .reference_label = "chance",
        .marks = marks,
        .n_marks = tt_report_marks(r, false, marks)};
    if (status == TT_OK && list.n > 0) tt_plot_lines(out, &plot, list.items, (int)list.n);
    tt_plot_list_close(&list);
    return status;
}

tt_status tt_report_learning(tt_str *out, const tt_report *r) {
    tt_str plots = {0};
    tt_status status = draw_validations(&plots, r);
    if (status == TT_OK) status = draw_losses(&plots, r);
    if (status == TT_OK && plots.length > 0) {
        tt_str_append(out,
            "<p>Steps are counted through all phases; a phase begins at the same place for all runs, where "
            "the longest phase before it ended. Runs that differ only in their seed share a colour. The loss "
            "is the mean cross-entropy per target token; a point is the mean over up to a hundredth of the "
            "logged steps. Vertical bars, where drawn, are 95 % intervals over the validation "
            "questions.</p>\n"
            "<div class=\"plots\">\n");
        tt_str_append(out, tt_str_text(&plots));
        tt_str_append(out, "</div>\n");
    }
    tt_str_close(&plots);
    return status;
}
