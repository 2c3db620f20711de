// A table of right options and answers.
#include "host/report/sections/section.h"
#include "host/report/text.h"

#include <stdlib.h>
#include <string.h>

// Adds up the answers of a group's runs to the split of its first run.
static bool add_up(const tt_report *r, const tt_report_group *g, tt_report_answers *sum, int *runs) {
    *sum = (tt_report_answers){0};
    *runs = 0;
    for (int i = 0; i < g->n; ++i) {
        const tt_report_run *run = &r->runs[g->runs[i]];
        const tt_report_answers *a = &run->answers;
        if (a->n == 0 || run->repeated || (sum->n > 0 && strcmp(sum->split, a->split) != 0)) continue;
        if (sum->n == 0) memcpy(sum->split, a->split, sizeof sum->split);
        if (a->options > sum->options) sum->options = a->options;
        sum->n += a->n;
        ++*runs;
        for (int gold = 0; gold < TT_MAX_OPTIONS; ++gold)
            for (int answer = 0; answer <= TT_MAX_OPTIONS; ++answer)
                sum->table[gold][answer] += a->table[gold][answer];
    }
    return sum->n > 0;
}

static void print_cell(tt_str *out, int64_t n, int64_t total, bool right) {
    const double share = total > 0 ? (double)n / (double)total : 0;
    tt_str_format(out, "<td class=\"num cell %s\" style=\"--p:%.0f%%\">", right ? "right" : "wrong",
        100 * share * 0.75);
    tt_str_format(out, "%lld<small>%.0f %%</small></td>", (long long)n, 100 * share);
}

static void print_matrix(tt_str *out, const tt_report_answers *a) {
    tt_str_append(out, "<div class=\"scroll\"><table class=\"matrix\">\n<thead><tr><th>right option</th>");
    for (int option = 0; option < a->options; ++option)
        tt_str_format(out, "<th class=\"num\">%c</th>", 'A' + option);
    tt_str_append(out, "<th class=\"num\">none</th><th class=\"num\">questions</th></tr></thead>\n<tbody>\n");
    for (int gold = 0; gold < a->options; ++gold) {
        int64_t all = a->table[gold][TT_MAX_OPTIONS];
        for (int answer = 0; answer < a->options; ++answer) all += a->table[gold][answer];
        tt_str_format(out, "<tr><th scope=\"row\">%c</th>", 'A' + gold);
        for (int answer = 0; answer < a->options; ++answer)
            print_cell(out, a->table[gold][answer], all, gold == answer);
        print_cell(out, a->table[gold][TT_MAX_OPTIONS], all, false);
        tt_str_format(out, "<td class=\"num\">%lld</td></tr>\n", (long long)all);
    }
    tt_str_append(out, "</tbody></table></div>\n");
}

tt_status tt_report_confusion(tt_str *out, const tt_report *r) {
    tt_report_answers *sum;
    tt_str tables = {0};
    TT_TRY(tt_alloc(&sum, 1, sizeof *sum, "answers"));
    for (int g = 0; g < r->n_groups; ++g) {
        int runs;
        if (!add_up(r, &r->groups[g], sum, &runs)) continue;
        tt_str_append(&tables, g < 3 ? "<details open=\"open\">" : "<details>");
        tt_html_format(&tables, "<summary>%s: %s split, greedy", r->groups[g].label, sum->split);
        tt_str_format(&tables, ", %lld answers", (long long)sum->n);
        if (runs > 1) tt_str_format(&tables, " of %d runs", runs);
        tt_str_append(&tables, "</summary>\n");
        print_matrix(&tables, sum);
        tt_str_append(&tables, "</details>\n");
    }
    if (tables.length > 0)
        tt_str_append(out, "<p>Rows: the right option. Columns: the answer; &#8220;none&#8221; is an "
                           "unreadable answer. Percentages "
                           "are of the row. A column that stands out in every row is a letter that the "
                           "student prefers whatever "
                           "the question.</p>\n");
    tt_str_append(out, tt_str_text(&tables));
    tt_str_close(&tables);
    free(sum);
    return TT_OK;
}
