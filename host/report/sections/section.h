// Sections of a report's page, one file each; and what they share.
#ifndef TT_REPORT_SECTIONS_SECTION_H
#define TT_REPORT_SECTIONS_SECTION_H

#include "host/report/plot/svg.h"
#include "host/report/runs/group.h"

#ifdef __cplusplus
extern "C" {
#endif

// id, heading, what it holds; in the order of the page. A section that has nothing to say writes nothing.
#define TT_REPORT_SECTION_MAP(X)                                                                             \
    X(summary, "Summary")                                                                                    \
    X(iterations, "Before and after preference training")                                                    \
    X(differences, "Differences on the same questions")                                                      \
    X(learning, "Learning")                                                                                  \
    X(preference, "Preference training")                                                                     \
    X(lengths, "Texts at validation")                                                                        \
    X(confusion, "Answers")                                                                                  \
    X(examples, "Examples")                                                                                  \
    X(setup, "Runs and settings")

#define TT_REPORT_SECTION_DECLARE(id, heading)                                                               \
    tt_status tt_report_##id(tt_str *out, const tt_report *r) TT_MUST_CHECK;
TT_REPORT_SECTION_MAP(TT_REPORT_SECTION_DECLARE)
#undef TT_REPORT_SECTION_DECLARE

// How differences and their intervals are to be read, as a paragraph.
void tt_report_explain_changes(tt_str *out);

// The page's style sheet.
const char *tt_report_style(void);

enum { TT_REPORT_MARKS = 12 };

// Steps at which later phases begin, of all runs.
int tt_report_marks(const tt_report *r, bool preference, tt_plot_mark *out);
// A run's series takes its group's colour; the group's first one its label. Several seeds are drawn faintly.
void tt_report_dress(const tt_report *r, const tt_report_run *run, bool first, tt_plot_series *series);
// One series a run: a number of its training steps at the stage, in phases of preference training or in the
// others, as means of at most 100 parts. On one axis of steps over all phases.
tt_status tt_report_add_curves(const tt_report *r, int stage, tt_report_metric metric, bool preference,
    tt_plot_list *list) TT_MUST_CHECK;
// Whether any run has such steps.
bool tt_report_has_steps(const tt_report *r, int stage, tt_report_metric metric, bool preference);

#ifdef __cplusplus
}
#endif

#endif
