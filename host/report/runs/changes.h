// Differences of accuracies between answers to the same questions: before and after reflection, one answer
// and the vote of many, one group of runs and the first one.
#ifndef TT_REPORT_RUNS_CHANGES_H
#define TT_REPORT_RUNS_CHANGES_H

#include "host/report/runs/group.h"

typedef enum tt_report_change_kind {
    TT_CHANGE_REFLECTION, // test, greedy: after an iteration, against after acquisition, within each run
    TT_CHANGE_VOTING,     // self-consistency, against greedy answers of the same student
    TT_CHANGE_GROUP       // against the report's first group; runs are matched by their seeds
} tt_report_change_kind;

// All numbers are shares, "after" less "before"; NaN where not known.
typedef struct tt_report_change {
    tt_report_change_kind kind;
    int group;
    tt_report_score_kind answers;
    const char *phase, *before;      // of TT_CHANGE_REFLECTION: the names of the iteration and of acquisition
    int pairs;                       // of runs that have both scores; 0: there is nothing else below
    int unpaired;                    // runs of either group that have the score and no partner of their seed
    int64_t seed_before, seed_after; // of the one pair; -1: not known, or several pairs
    double difference;               // of the accuracies, the mean over pairs
    // 95 % intervals of it. Over questions: for one pair tt_paired_interval; for several Student's t over the
    // questions, of which each counts the mean change over the pairs: what another draw of questions may
    // change, with these runs. Over seeds: Student's t over the pairs' differences: what other seeds may
    // change, with these questions. None over seeds where there is one pair or all agree exactly.
    double low, high, seeds_low, seeds_high;
    int64_t questions;            // of each pair; 0 where they could not be paired
    int64_t to_right, to_wrong;   // answers that changed, over all pairs
    double mcnemar;               // of one pair: the exact test's p
    char why[TT_PAIRED_WHY + 32]; // why questions could not be paired, or ""
} tt_report_change;

// All differences of a report in the order of its groups, as *out [*n], which is the caller's to free.
tt_status tt_report_changes(const tt_report *r, tt_report_change **out, int *n) TT_MUST_CHECK;
// The same of one run: `against`, its partner in the first group, may be NULL. `which`: kind and answers, and
// a phase; *out has no pairs where there is no such difference.
tt_status tt_report_change_of_run(const tt_report_run *run, const tt_report_run *against,
    const tt_report_change *which, tt_report_change *out) TT_MUST_CHECK;
// The run of the first group that a run is matched with; NULL where it has none or is of that group.
const tt_report_run *tt_report_partner(const tt_report *r, const tt_report_run *run);
// The first phase that a later one is compared with, and the last one; NULL where reflection did not follow.
const tt_report_phase *tt_report_before(const tt_report_run *run);
const tt_report_phase *tt_report_after(const tt_report_run *run);
bool tt_report_sure(double low, double high); // the interval leaves out 0
// Whether two single runs of different seeds are compared: the difference is then also one of seeds.
bool tt_report_other_seed(const tt_report_change *change);
// What is compared: "after reflection_1, against after acquisition", "against everyday".
void tt_report_change_label(tt_str *out, const tt_report *r, const tt_report_change *change);

#endif
