// Questions with all texts that the student wrote about them.
#include "host/report/sections/section.h"
#include "host/report/text.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void print_options(tt_str *out, const json_t *line) {
    const json_t *options = json_object_get(line, "options");
    const int right = tt_report_option_of(tt_outcomes_right_option(line)),
              answer = tt_report_option_of(json_object_get(line, "answer"));
    tt_str_append(out, "<ul class=\"options\">");
    for (int i = 0; i < (int)json_array_size(options); ++i) {
        const char *text = json_string_value(json_array_get(options, (size_t)i));
        tt_str_format(out, "<li%s>(%c) ",
            i == right    ? " class=\"gold\""
            : i == answer ? " class=\"chosen\""
                          : "",
            'A' + i);
        tt_html_text(out, text ? text : "");
        if (i == right) tt_str_append(out, " <small>right option</small>");
        if (i == answer) tt_str_append(out, " <small>answered</small>");
        tt_str_append(out, "</li>");
    }
    tt_str_append(out, "</ul>\n");
}

static void print_stages(tt_str *out, const json_t *run) {
    const json_t *analyze = json_object_get(run, "analyze");
    const char *recall = json_string_value(json_object_get(run, "recall"));
    tt_str_append(out, "<div class=\"stages\">");
    if (recall) tt_html_format(out, "<div><h5>recall</h5><p>%s</p></div>", recall);
    if (json_is_array(analyze)) {
        tt_str_append(out, "<div><h5>analyze</h5><ul>");
        for (size_t i = 0; i < json_array_size(analyze); ++i) {
            const char *text = json_string_value(json_array_get(analyze, i));
            tt_str_format(out, "<li>(%c) ", 'A' + (int)(i % 26));
            tt_html_text(out, text ? text : "");
            tt_str_append(out, "</li>");
        }
        tt_str_append(out, "</ul></div>");
    }
    tt_html_format(out, "<div><h5>summarize</h5><p>%s</p></div></div>\n", text_of(run, "summarize"));
}

static void print_example(tt_str *out, const json_t *line, bool right) {
    tt_str_append(out, right ? "<article class=\"ok\">" : "<article class=\"bad\">");
    tt_html_format(out, "<p class=\"question\"><span class=\"badge\">%s</span> %s</p>\n",
        right                                                      ? "right"
        : tt_report_option_of(json_object_get(line, "answer")) < 0 ? "unreadable"
                                                                   : "wrong",
        text_of(line, "question"));
    print_options(out, line);
    print_stages(out, json_array_get(json_object_get(line, "runs"), 0));
    tt_html_format(out, "<p class=\"fine\">%s</p></article>\n", text_of(line, "id"));
}

static const tt_report_run *first_with_answers(const tt_report *r, const tt_report_group *g) {
    for (int i = 0; i < g->n; ++i)
        if (r->runs[g->runs[i]].answers.n > 0) return &r->runs[g->runs[i]];
    return NULL;
}

tt_status tt_report_examples(tt_str *out, const tt_report *r) {
    bool explained = false;
    for (int g = 0; g < r->n_groups; ++g) {
        const tt_report_run *run = first_with_answers(r, &r->groups[g]);
        if (!run) continue;
        if (!explained)
            tt_str_append(out, "<p>Selected by a hash of the question&#8217;s id, not by hand: up to three "
                               "right and three wrong "
                               "answers of a group&#8217;s first run. How many of each are shown says "
                               "nothing about how many "
                               "there are.</p>\n");
        tt_str_append(out, explained ? "<details>" : "<details open=\"open\">");
        explained = true;
        tt_html_format(
            out, "<summary>%s: %s, %s split</summary>\n", r->groups[g].label, run->name, run->answers.split);
        for (int kind = 1; kind >= 0; --kind)
            for (int i = 0; i < TT_REPORT_EXAMPLES; ++i)
                if (run->answers.examples[kind][i])
                    print_example(out, run->answers.examples[kind][i], kind == 1);
        tt_str_append(out, "</details>\n");
    }
    return TT_OK;
}
