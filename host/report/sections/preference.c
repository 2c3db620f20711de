// Reward curves and their explanation.
#include "host/train/preference.h"
#include "host/lab/config_lines.h"
#include "host/report/sections/section.h"
#include "host/report/text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char explanation[] =
    "<p>A text's <em>reward</em> says how much more probable it is for the student than for the reference, "
    "the student that the phase began with: r(y) = &#946; [log &#960;(y | x) &#8722; log "
    "&#960;<sub>ref</sub>(y | x)]. All rewards begin at 0. The <em>margin</em> is m = r(chosen) &#8722; "
    "r(rejected); <em>accuracy</em> is the share of pairs with m above 0, on the training pairs of the step, "
    "not on questions.</p>\n";

static const char falling[] =
    "<p><strong>Chosen rewards often fall below 0, and that alone is not a failure.</strong> The preference "
    "loss depends only on the margin: it also falls when both texts become less probable, as long as the "
    "rejected one falls faster. Chosen and rejected texts of a question share most of their words, so that "
    "pushing one down drags the other along, and the probability goes to other texts. What to watch instead: "
    "margins and their accuracy should rise, validation accuracy should not fall, and lengths, texts that "
    "never end and unreadable answers (below) should stay as they were. nll_weight pulls chosen texts back "
    "up: it adds their cross-entropy to the loss.</p>\n";

static void config_value(const tt_report_run *run, const char *key, char *out, size_t size) {
    tt_config_line line;
    snprintf(out, size, "?");
    if (run->resolved && tt_config_line_find(run->resolved, key, &line))
        tt_config_line_text(&line, out, size);
}

typedef struct settings {
    char loss[64], beta[64], weight[64], smoothing[64], normalised[64];
} settings;

static settings settings_of(const tt_report_run *run) {
    settings s;
    config_value(run, "reflection.loss", s.loss, sizeof s.loss);
    config_value(run, "reflection.beta", s.beta, sizeof s.beta);
    config_value(run, "reflection.nll_weight", s.weight, sizeof s.weight);
    config_value(run, "reflection.label_smoothing", s.smoothing, sizeof s.smoothing);
    config_value(run, "reflection.length_normalised", s.normalised, sizeof s.normalised);
    return s;
}

static bool has_preference(const tt_report_run *run) {
    for (int p = 0; p < run->n_phases; ++p)
        if (run->phases[p].preference) return true;
    return false;
}

static void print_formula(tt_str *out, const tt_report_run *run) {
    const settings s = settings_of(run);
    const tt_preference_description *loss = tt_preference_describe(s.loss);
    const bool smoothed = strcmp(s.smoothing, "0") != 0 && strcmp(s.smoothing, "?") != 0;
    if (loss) {
        tt_html_format(out, "<p class=\"formula\">loss = %s + nll_weight \u00d7 ",
            smoothed ? loss->smoothed : loss->formula);
        tt_str_append(out, "[&#8722;(1/T) &#931; log &#960;(token of a chosen text)]</p>\n");
    }
    tt_html_format(out, "<p class=\"of\">loss %s, &#946; = %s, nll_weight = %s", s.loss, s.beta, s.weight);
    if (loss && loss->label_smoothing && smoothed)
        tt_html_format(out, ", label_smoothing &#949; = %s", s.smoothing);
    if ((loss && loss->length_normalised) || strcmp(s.normalised, "true") == 0)
        tt_str_append(out, "; log &#960; of a text is the mean over its tokens");
    if (loss) tt_html_format(out, "; where m = 0, the first term is %s", loss->at_zero);
    tt_str_append(out, "; T: tokens of the batch's chosen texts</p>\n");
}

// Prints each different loss with its settings once, under the names of the groups that use it.
static tt_status print_formulas(tt_str *out, const tt_report *r) {
    tt_str *texts;
    TT_TRY(tt_alloc(&texts, (size_t)r->n_groups, sizeof *texts, "formulas"));
    for (int g = 0; g < r->n_groups; ++g) {
        const tt_report_run *run = &r->runs[r->groups[g].runs[0]];
        if (has_preference(run)) print_formula(&texts[g], run);
    }
    for (int g = 0; g < r->n_groups; ++g) {
        const char *text = tt_str_text(&texts[g]), *comma = "";
        bool known = !*text;
        for (int k = 0; k < g && !known; ++k) known = strcmp(tt_str_text(&texts[k]), text) == 0;
        if (known) continue;
        tt_str_append(out, "<h4>");
        for (int k = g; k < r->n_groups; ++k) {
            if (strcmp(tt_str_text(&texts[k]), text) != 0) continue;
            tt_str_append(out, comma);
            tt_html_text(out, r->groups[k].label);
            comma = ", ";
        }
        tt_str_append(out, "</h4>\n");
        tt_str_append(out, text);
    }
    for (int g = 0; g < r->n_groups; ++g) tt_str_close(&texts[g]);
    free(texts);
    return TT_OK;
}

typedef struct chart {
    const char *title;
    tt_report_metric metric;
    int second; // metric of a second, dashed line; -1: none
    bool percent;
    double reference;
    const char *reference_label;
} chart;

static const chart charts[] = {
    {.title = "rewards of chosen (solid) and rejected (dashed) texts",
        .metric = TT_REPORT_METRIC_CHOSEN,
        .second = TT_REPORT_METRIC_REJECTED,
        .reference_label = ""},
    {.title = "margins, chosen minus rejected",
        .metric = TT_REPORT_METRIC_MARGINS,
        .second = -1,
        .reference_label = ""},
    {.title = "share of pairs with a margin above 0",
        .metric = TT_REPORT_METRIC_ACCURACIES,
        .second = -1,
        .percent = true,
        .reference = 0.5,
        .reference_label = "coin toss"},
    {.title = "loss (solid) and cross-entropy of chosen texts (dashed)",
        .metric = TT_REPORT_METRIC_LOSS,
        .second = TT_REPORT_METRIC_NLL,
        .reference = NAN,
        .reference_label = ""},
};

static tt_status draw_chart(tt_str *out, const tt_report *r, int stage, const chart *c) {
    tt_plot_list list = {0};
    tt_plot_mark marks[TT_REPORT_MARKS];
    tt_str title = {0};
    const tt_report_curve first = {.stage = stage, .metric = c->metric, .preference = true};
    tt_status status = tt_report_add_curves(r, &first, &list);
    const size_t solid = list.n;
    if (status == TT_OK && c->second >= 0) {
        const tt_report_curve second = {
            .stage = stage, .metric = (tt_report_metric)c->second, .preference = true};
        status = tt_report_add_curves(r, &second, &list);
    }
    for (size_t i = solid; i < list.n; ++i) {
        list.items[i].dashed = true;
        list.items[i].label = NULL;
    }
    tt_str_format(&title, "%c%s: %s", toupper((unsigned char)r->stages.items[stage][0]),
        r->stages.items[stage] + 1, c->title);
    const tt_plot plot = {.title = tt_str_text(&title),
        .x_label = "step",
        .percent = c->percent,
        .whole = true,
        .reference = c->reference,
        .reference_label = c->reference_label,
        .marks = marks,
        .n_marks = tt_report_marks(r, true, marks)};
    if (status == TT_OK && list.n > 0) tt_plot_lines(out, &plot, list.items, (int)list.n);
    tt_plot_list_close(&list);
    tt_str_close(&title);
    return status;
}

tt_status tt_report_preference(tt_str *out, const tt_report *r) {
    tt_str plots = {0};
    tt_status status = TT_OK;
    for (int stage = 0; stage < r->stages.n; ++stage)
        for (size_t c = 0; c < sizeof charts / sizeof *charts && status == TT_OK; ++c)
            status = draw_chart(&plots, r, stage, &charts[c]);
    if (status == TT_OK && plots.length > 0) {
        tt_str_append(out, explanation);
        status = print_formulas(out, r);
        tt_str_append(out, falling);
        tt_str_append(out, "<div class=\"plots\">\n");
        tt_str_append(out, tt_str_text(&plots));
        tt_str_append(out, "</div>\n");
    }
    tt_str_close(&plots);
    return status;
}
