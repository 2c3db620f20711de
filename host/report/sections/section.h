// Sections of a report's page, one file each, and what they share.
#ifndef TT_REPORT_SECTIONS_SECTION_H
#define TT_REPORT_SECTIONS_SECTION_H

#include "host/report/plot/svg.h"
#include "host/report/runs/group.h"

#ifdef __cplusplus
extern "C" {
#endif

// id, heading; in the order of the page. A section without content appends nothing.
#define TT_REPORT_SECTION_MAP(X)                                                                             \
    X(summary, "Summary")                                                                                    \
    X(grids, "Tables")                                                                                       \
    X(iterations, "Before and after preference training")                                                    \
    X(differences, "Differences on the same questions")                                                      \
    X(learning, "Learning")                                                                                  \
    X(preference, "Preference training")                                                                     \
    X(lengths, "Texts at validation")                                                                        \
    X(confusion, "Answers")                                                                                  \
    X(examples, "Examples")                                                                                  \
    X(teacher, "What the teacher wrote")                                                                     \
    X(setup, "Runs and settings")

#define TT_REPORT_SECTION_DECLARE(id, heading)                                                               \
    tt_status tt_report_##id(tt_str *out, const tt_report *r) TT_MUST_CHECK;
TT_REPORT_SECTION_MAP(TT_REPORT_SECTION_DECLARE)
#undef TT_REPORT_SECTION_DECLARE

// Appends a paragraph that explains differences and their intervals.
void tt_report_explain_changes(tt_str *out);

// The page's style sheet.
const char *tt_report_style(void);

enum { TT_REPORT_MARKS = 12 };

// Writes the steps at which phases begin to out[TT_REPORT_MARKS] and returns how many: phases of preference
// training, or all phases after the first one.
int tt_report_marks(const tt_report *r, bool preference, tt_plot_mark *out);
// Gives a run's series its group's colour, and the first series of a group its label. Several seeds are drawn
// faintly.
void tt_report_dress(const tt_report *r, const tt_report_run *run, bool first, tt_plot_series *series);
// A number of the training steps at a stage, in phases of preference training or in the others.
typedef struct tt_report_curve {
    int stage; // index into the report's stage names
    tt_report_metric metric;
    bool preference;
} tt_report_curve;
// Adds a series for each run, as means over at most 100 parts, on an axis of steps through all phases.
tt_status tt_report_add_curves(
    const tt_report *r, const tt_report_curve *curve, tt_plot_list *list) TT_MUST_CHECK;
// Whether any run has such steps.
bool tt_report_has_steps(const tt_report *r, const tt_report_curve *curve);

#ifdef __cplusplus
}
#endif

#endif
