// Differences on the same questions: votes against greedy answers, and every group against the first one.
#include "host/report/runs/changes.h"
#include "host/report/sections/section.h"
#include "host/report/text.h"

#include <math.h>
#include <stdlib.h>

static void print_interval(tt_str *out, double low, double high) {
    const bool sure = tt_report_sure(low, high);
    tt_str_format(out, "<td class=\"num%s\">", sure ? " sure" : "");
    tt_text_points_interval(out, low, high);
    tt_str_append(out, "</td>");
}

static void print_count(tt_str *out, int64_t n, bool known) {
    tt_str_append(out, "<td class=\"num\">");
    tt_text_number(out, known ? (double)n : NAN, 0);
    tt_str_append(out, "</td>");
}

static void print_row(tt_str *out, const tt_report *r, const tt_report_change *c) {
    tt_str label = {0};
    const bool paired = c->questions > 0;
    tt_report_change_label(&label, r, c);
    tt_html_format(out,
        "<tr><th scope=\"row\"><span class=\"swatch c%d\"></span>%s<small>%s</small></th><td>%s",
        c->group % TT_PLOT_COLOURS, r->groups[c->group].label, tt_str_text(&label),
        tt_report_score_heading(c->answers));
    if (c->unpaired > 0)
        tt_html_format(out, "<small class=\"warn\">%d run%s without a partner</small>", c->unpaired,
            c->unpaired == 1 ? "" : "s");
    tt_str_append(out, "</td><td class=\"num\">");
    tt_text_points(out, c->difference);
    tt_str_append(out, "</td>");
    if (paired)
        print_interval(out, c->low, c->high);
    else
        tt_html_format(out, "<td class=\"num\"><small class=\"warn\">%s</small></td>", c->why);
    print_interval(out, c->seeds_low, c->seeds_high);
    print_count(out, c->to_right, paired);
    print_count(out, c->to_wrong, paired);
    tt_str_append(out, "<td class=\"num\">");
    if (c->pairs > 1) tt_str_format(out, "%d seeds%s", c->pairs, paired ? ", " : "");
    if (paired) tt_str_format(out, "n = %lld", (long long)c->questions);
    if (tt_report_other_seed(c))
        tt_str_format(out, "<small class=\"warn\">seed %lld against %lld</small>", (long long)c->seed_after,
            (long long)c->seed_before);
    tt_str_append(out, "</td></tr>\n");
    tt_str_close(&label);
}

tt_status tt_report_differences(tt_str *out, const tt_report *r) {
    tt_report_change *changes;
    int n, shown = 0;
    TT_TRY(tt_report_changes(r, &changes, &n));
    for (int i = 0; i < n; ++i) shown += changes[i].kind != TT_CHANGE_REFLECTION;
    if (shown > 0) {
        tt_str_append(out, "<p>In percentage points. The votes of self-consistency are compared with the "
                           "greedy answers of the "
                           "same student");
        if (r->n_groups > 1)
            tt_html_format(out,
                ", groups with the first one, %s, and with the first row of their table in the same column, "
                "between runs of the same seed",
                r->groups[0].label);
        tt_str_append(out, ".</p>\n");
        tt_str_append(out,
            "<div class=\"scroll\"><table>\n<thead><tr><th>group</th><th>answers</th>"
            "<th class=\"num\">difference</th><th class=\"num\">95 %, over questions</th>"
            "<th class=\"num\">95 %, over seeds</th><th class=\"num\">to right</th>"
            "<th class=\"num\">to wrong</th><th class=\"num\">of</th></tr></thead>\n<tbody>\n");
        for (int i = 0; i < n; ++i)
            if (changes[i].kind != TT_CHANGE_REFLECTION) print_row(out, r, &changes[i]);
        tt_str_append(out, "</tbody></table></div>\n");
        if (shown == n)
            tt_report_explain_changes(out);
        else
            tt_str_append(out, "<p class=\"fine\">How to read these intervals: <a "
                               "href=\"#iterations\">above</a>.</p>\n");
    }
    free(changes);
    return TT_OK;
}

void tt_report_explain_changes(tt_str *out) {
    tt_str_append(out,
        "<p class=\"fine\">An interval that excludes 0 is bold; about one in twenty does so by chance. Both "
        "sides answered the same questions, so that only changed answers, to right or to wrong, make a "
        "difference; an unreadable answer is wrong. Over questions: what other questions might change, with "
        "these students; Tango&#8217;s score interval of the paired difference, and of several seeds "
        "Student&#8217;s t over the questions&#8217; mean changes. Over seeds: what other seeds might "
        "change, with these questions; Student&#8217;s t over the seeds&#8217; differences. Changes to right "
        "and to wrong are counted over all seeds. A question that occurs under several ids counts once for "
        "each of them.</p>\n");
}
