// Texts at validation: their length, whether they end, whether an answer can be read.
#include "host/report/sections/section.h"
#include "host/report/text.h"

#include <math.h>

typedef enum quantity { LENGTH, UNENDED, UNREADABLE } quantity;

typedef struct curve {
    quantity kind;
    int stage; // index into the report's stage names; of UNREADABLE not used
} curve;

static double value_of(const tt_report_validation *v, const curve *c) {
    if (c->kind == LENGTH) return v->tokens[c->stage];
    if (c->kind == UNENDED) return v->unended[c->stage];
    return v->score.n > 0 && v->score.unanswered >= 0 ? (double)v->score.unanswered / (double)v->score.n
                                                      : NAN;
}

static tt_status add_run(
    const tt_report *r, const tt_report_run *run, const curve *c, bool *first, tt_plot_list *list) {
    tt_plot_series *s;
    int n = 0;
    for (size_t k = 0; k < run->n_validations; ++k) n += isfinite(value_of(&run->validations[k], c)) != 0;
    if (n == 0) return TT_OK;
    TT_TRY(tt_plot_add(list, n, false, &s));
    for (size_t k = 0; k < run->n_validations; ++k) {
        const tt_report_validation *v = &run->validations[k];
        if (!isfinite(value_of(v, c))) continue;
        s->x[s->n] = (double)(run->phases[v->phase].offset + v->step);
        s->y[s->n++] = value_of(v, c);
    }
    s->dots = n <= 40;
    tt_report_dress(r, run, *first, s);
    *first = false;
    return TT_OK;
}

static tt_status draw_lengths(tt_str *out, const tt_report *r, curve c) {
    tt_plot_list list = {0};
    tt_plot_mark marks[TT_REPORT_MARKS];
    tt_str title = {0};
    tt_status status = TT_OK;
    for (int g = 0; g < r->n_groups; ++g) {
        bool first = true;
        for (int i = 0; i < r->groups[g].n && status == TT_OK; ++i)
            status = add_run(r, &r->runs[r->groups[g].runs[i]], &c, &first, &list);
    }
    if (c.kind == UNREADABLE)
        tt_str_append(&title, "Unreadable answers");
    else
        tt_str_format(&title, "%s: %s", c.kind == LENGTH ? "Mean length in tokens" : "Texts that never end",
            r->stages.items[c.stage]);
    const tt_plot plot = {.title = tt_str_text(&title),
        .x_label = "step",
        .percent = c.kind != LENGTH,
        .whole = true,
        .from_zero = true,
        .reference = NAN,
        .marks = marks,
        .n_marks = tt_report_marks(r, false, marks)};
    if (status == TT_OK && list.n > 0) tt_plot_lines(out, &plot, list.items, (int)list.n);
    tt_plot_list_close(&list);
    tt_str_close(&title);
    return status;
}

tt_status tt_report_lengths(tt_str *out, const tt_report *r) {
    tt_str plots = {0};
    tt_status status = TT_OK;
    for (int stage = 0; stage < r->stages.n && status == TT_OK; ++stage)
        status = draw_lengths(&plots, r, (curve){.kind = LENGTH, .stage = stage});
    for (int stage = 0; stage < r->stages.n && status == TT_OK; ++stage)
        status = draw_lengths(&plots, r, (curve){.kind = UNENDED, .stage = stage});
    if (status == TT_OK) status = draw_lengths(&plots, r, (curve){.kind = UNREADABLE});
    if (status == TT_OK && plots.length > 0) {
        tt_str_append(out, "<p>A text that reaches the longest allowed length is cut and counts as never "
                           "ending. An answer is "
                           "unreadable if summarize names no option; it counts as wrong. These shares and "
                           "the lengths are the "
                           "first to change when training goes wrong.</p>\n<div class=\"plots\">\n");
        tt_str_append(out, tt_str_text(&plots));
        tt_str_append(out, "</div>\n");
    }
    tt_str_close(&plots);
    return status;
}
