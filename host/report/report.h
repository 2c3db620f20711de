// A report of runs: one self-contained HTML page, and tables as Markdown and CSV.
#ifndef TT_REPORT_REPORT_H
#define TT_REPORT_REPORT_H

#include "host/report/runs/group.h"

#ifdef __cplusplus
extern "C" {
#endif

// Appends the page: HTML that is XML as well, without scripts and without anything to load. `source`: its
// title. The same runs give the same bytes.
tt_status tt_report_html(tt_str *out, const tt_report *report, const char *source) TT_MUST_CHECK;
// Appends the summary, the tables of sweeps, the phases, the differences and the runs as Markdown tables.
tt_status tt_report_markdown(tt_str *out, const tt_report *report, const char *source) TT_MUST_CHECK;
// Appends the tables of sweeps (grid.h) as LaTeX to be \input, which needs the package booktabs. Each fits a column of
// a page with two columns, or the page.
tt_status tt_report_latex(tt_str *out, const tt_report *report) TT_MUST_CHECK;
// Appends a line of CSV for each run with all its numbers; unknown ones are empty. The last columns are
// differences on the test questions: reflection_ (after the last iteration, against acquisition), votes_
// (self-consistency against greedy) and first_ (against the run that the column "first" names).
tt_status tt_report_csv(tt_str *out, const tt_report *report) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
