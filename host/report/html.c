#include "host/base/version.h"
#include "host/report/report.h"
#include "host/report/sections/section.h"
#include "host/report/text.h"

#include <math.h>

typedef struct section {
    const char *id, *heading;
    tt_status (*write)(tt_str *out, const tt_report *r);
} section;

static const section sections[] = {
#define SECTION(id, heading) {#id, heading, tt_report_##id},
    TT_REPORT_SECTION_MAP(SECTION)
#undef SECTION
};
enum { SECTIONS = sizeof sections / sizeof *sections };

static void print_head(tt_str *out, const tt_report *r, const char *source) {
    int open = 0;
    for (int i = 0; i < r->n_runs; ++i) open += r->runs[i].state != TT_REPORT_FINISHED;
    tt_html_format(out,
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
        "<meta charset=\"utf-8\"/>\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
        "<title>%s: tinythinker report</title>\n<style>\n",
        source);
    tt_str_append(out, tt_report_style());
    tt_html_format(out,
        "</style>\n</head>\n<body>\n<header>\n<p class=\"fine\">tinythinker report</p>\n"
        "<h1>%s</h1>\n",
        source);
    tt_html_format(out, "<p>%d run%s in %d group%s", r->n_runs, r->n_runs == 1 ? "" : "s", r->n_groups,
        r->n_groups == 1 ? "" : "s");
    if (open > 0) tt_str_format(out, ", <span class=\"warn\">%d of them not finished</span>", open);
    if (tt_report_old_runs(r) > 0)
        tt_str_format(out,
            ", <span class=\"warn\">%d to start over: what is marked with %s has results from before</span>",
            tt_report_old_runs(r), TT_REPORT_OLD);
    if (isfinite(r->chance))
        tt_str_format(out, "; answering by chance is right %.1f %% of the time", 100 * r->chance);
    tt_str_append(out,
        ". A group contains the runs that differ only in their seed, or those of one variant of "
        "a sweep.</p>\n</header>\n");
}

tt_status tt_report_html(tt_str *out, const tt_report *r, const char *source) {
    tt_str body = {0}, links = {0}, one = {0};
    tt_status status = TT_OK;
    for (int i = 0; i < SECTIONS && status == TT_OK; ++i) {
        tt_str_clear(&one);
        status = sections[i].write(&one, r);
        if (status == TT_OK) status = tt_str_status(&one);
        if (one.length == 0) continue;
        tt_html_format(&links, "<a href=\"#%s\">%s</a>\n", sections[i].id, sections[i].heading);
        tt_html_format(&body, "<section id=\"%s\">\n<h2>%s</h2>\n", sections[i].id, sections[i].heading);
        tt_str_append(&body, tt_str_text(&one));
        tt_str_append(&body, "</section>\n");
    }
    print_head(out, r, source);
    tt_str_append(out, "<nav>\n");
    tt_str_append(out, tt_str_text(&links));
    tt_str_append(out, "</nav>\n<main>\n");
    tt_str_append(out, tt_str_text(&body));
    tt_str_format(out, "</main>\n<footer class=\"fine\">Written by %s.</footer>\n</body>\n</html>\n",
        tt_version_line());
    if (status == TT_OK) status = tt_str_status(&body);
    if (status == TT_OK) status = tt_str_status(out);
    tt_str_close(&one);
    tt_str_close(&links);
    tt_str_close(&body);
    return status;
}
