// Finished runs side by side, and what differs between their answers to the same questions.
#ifndef TT_REPORT_SIDE_BY_SIDE_H
#define TT_REPORT_SIDE_BY_SIDE_H

#include "host/report/runs/group.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

// A block for each group of runs that differ only in their seed: steps, speed, wall time, and its accuracies
// with 95 % intervals. Below, the differences of runs/changes.h: each with its intervals, and how many
// answers changed to right and to wrong. As text at most 80 columns wide (except for long names), or as one
// JSON object. Errors: TT_ERR_IO or TT_ERR_FORMAT naming a run that has no (readable) result.
tt_status tt_side_by_side(const tt_report *report, FILE *out) TT_MUST_CHECK;
tt_status tt_side_by_side_json(const tt_report *report, FILE *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
