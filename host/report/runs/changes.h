// Differences of accuracies between answers to the same questions: before and after reflection, greedy
// answers and votes, the first group of runs and every other, the first row of a table and every other in its column.
#ifndef TT_REPORT_RUNS_CHANGES_H
#define TT_REPORT_RUNS_CHANGES_H

#include "host/report/runs/group.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_report_change_kind {
    TT_CHANGE_REFLECTION, // after an iteration against after acquisition: greedy test answers of each run
    TT_CHANGE_VOTING,     // self-consistency against greedy answers of the same student
    TT_CHANGE_GROUP // a group against the report's first one or that of its table; runs are matched by seed
} tt_report_change_kind;

// A difference, "after" minus "before". All numbers are shares of 0..1; NaN if not known.
typedef struct tt_report_change {
    tt_report_change_kind kind;
    int group, against; // of the report; `against`: of TT_CHANGE_GROUP
    tt_report_score_kind answers;
    const char *phase, *before; // names of the iteration and of acquisition, for TT_CHANGE_REFLECTION
    int pairs;                  // of runs that have both scores; if 0, the fields below have no values
    int unpaired;               // runs of either group that have the score but no partner with their seed
    int64_t seed_before, seed_after; // of the one pair; -1: not known, or several pairs
    double difference;               // of the accuracies, the mean over pairs
    // 95 % intervals of the difference. low..high is over questions: what other questions may change, with
    // these runs. For one pair it is tt_paired_interval, for several Student's t over the questions' mean
    // changes. seeds_low.. seeds_high is over seeds: what other seeds may change, with these questions. It is
    // Student's t over the pairs' differences; there is none for one pair or if all pairs agree exactly.
    double low, high, seeds_low, seeds_high;
    int64_t questions;            // of each pair; 0 if they could not be paired
    int64_t to_right, to_wrong;   // answers that changed, over all pairs
    double mcnemar;               // p of the exact test, for one pair
    char why[TT_PAIRED_WHY + 32]; // why questions could not be paired, or ""
} tt_report_change;

// All differences of a report in the order of its groups, as *out [*n], which the caller frees.
tt_status tt_report_changes(const tt_report *r, tt_report_change **out, int *n) TT_MUST_CHECK;
// One of them. `which` gives kind, group, against, answers and phase. *out has no pairs if there is no such difference.
tt_status tt_report_change_of_group(
    const tt_report *r, const tt_report_change *which, tt_report_change *out) TT_MUST_CHECK;
// The difference of one run. `against`, its partner in the first group, may be NULL. `which` gives kind,
// answers and phase. *out has no pairs if there is no such difference.
tt_status tt_report_change_of_run(const tt_report_run *run, const tt_report_run *against,
    const tt_report_change *which, tt_report_change *out) TT_MUST_CHECK;
// The run of the first group that a run is matched with; NULL if there is none or it belongs to that group.
const tt_report_run *tt_report_partner(const tt_report *r, const tt_report_run *run);
// The phase before the first iteration of reflection, and the last iteration; NULL without reflection.
const tt_report_phase *tt_report_before(const tt_report_run *run);
const tt_report_phase *tt_report_after(const tt_report_run *run);
bool tt_report_sure(double low, double high); // whether the interval excludes 0
// Whether two single runs of different seeds are compared: the difference is then also one of seeds.
bool tt_report_other_seed(const tt_report_change *change);
// What is compared: "after reflection_1, against after acquisition", "against everyday".
void tt_report_change_label(tt_str *out, const tt_report *r, const tt_report_change *change);

#ifdef __cplusplus
}
#endif

#endif
