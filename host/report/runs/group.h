// Groups of runs that differ only in their seed.
#ifndef TT_REPORT_RUNS_GROUP_H
#define TT_REPORT_RUNS_GROUP_H

#include "host/base/str.h"
#include "host/lab/statistics.h"
#include "host/report/runs/run.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TT_REPORT_LABEL = 2 * TT_REPORT_NAME + 24 };
#define TT_REPORT_OLD "\u2020" // marks what has results from before a start-over that is not finished

typedef struct tt_report_group {
    char label[TT_REPORT_LABEL];
    int *runs; // indices, in the order of seeds
    int n;
    int against; // the group in the first row of its table's column (grid.h), if it is another; else 0
} tt_report_group;

struct tt_grid;

typedef struct tt_report {
    tt_report_run *runs;
    int n_runs;
    tt_report_group *groups;
    int n_groups;
    struct tt_grid *grids; // [n_grids]: the tables of its sweeps (grid.h)
    int n_grids;
    tt_report_names stages;
    double chance; // accuracy of guessing, if it is the same for all runs; else NaN
    bool each;     // every run is a group of its own
} tt_report;

// Finds, reads and groups the runs at or below `paths`. tt_report_close frees *out, which is zeroed on
// failure. Errors: those of tt_report_find and tt_report_run_read.
tt_status tt_report_open(tt_report *out, const char *const *paths, int n, bool each) TT_MUST_CHECK;
void tt_report_close(tt_report *report);

// Fills sweep_number and old of each run. Sweeps of one name in different folders are called as the last names of
// their folders. Warns of start-overs that are not finished. Errors: TT_ERR_NOMEM.
tt_status tt_report_find_sweeps(tt_report *report) TT_MUST_CHECK;
// Groups report->runs: runs of a sweep by sweep and variant, others by all keys of their configuration except
// those below. A run without a configuration is a group of its own, unless it is one of a sweep and its variant has another
// run; with `each` every run is. Groups of silent runs alone come last. Marks runs whose seed occurs earlier in their group as
// repeated.
tt_status tt_report_make_groups(tt_report *report) TT_MUST_CHECK;
// Whether the key does not make another experiment: seed, name, output, device, threads, evaluation.slots.
bool tt_report_key_ignored(const char *key);

// Whether a run has neither a configuration nor a result: one of a sweep that failed before it trained.
bool tt_report_is_silent(const tt_report_run *run);
// The group's run of the lowest seed; a silent one only where all are.
const tt_report_run *tt_report_first_run(const tt_report *r, int group);
// How many runs of the group count: finished, each seed once.
int tt_report_counted(const tt_report *r, const tt_report_group *g);
// Whether a run that counts is to be replaced.
bool tt_report_group_old(const tt_report *r, const tt_report_group *g);

int tt_report_old_runs(const tt_report *r); // how many are to be replaced

// A score of a group with its 95 % intervals; NaN where there is none.
typedef struct tt_report_mean {
    double mean, low, high;
    double deviation; // standard deviation over the seeds; NaN for one
    // Where low..high is over seeds: Wilson's interval of the mean over the questions of one run. The
    // variance of the mean of n questions is at most p (1 - p) / n whatever the seeds share, so it is never
    // too narrow.
    double questions_low, questions_high;
    int seeds;         // runs that went in
    int64_t questions; // of each run (the fewest); 0: not known
} tt_report_mean;

// The mean over the runs that tt_report_counts. low..high is Student's t over the seeds (cut to 0..1) where
// two or more runs have the score: what other seeds may change, with these questions. Of one run, or where
// all seeds agree exactly, it is the run's own interval: what other questions may change, with this student.
tt_report_mean tt_report_group_score(const tt_report *r, const tt_report_group *g, tt_report_score_kind kind);
// The same of a phase: the test accuracy of its best checkpoint, or its best validation.
tt_report_mean tt_report_group_phase(
    const tt_report *r, const tt_report_group *g, const char *phase, bool test);
// A number that each run of the group may have, NaN where it has none.
typedef double (*tt_report_of_run)(const tt_report_run *run);
tt_estimate tt_report_group_number(const tt_report *r, const tt_report_group *g, tt_report_of_run number);
// Whether any run of the report has the score.
bool tt_report_any_score(const tt_report *r, tt_report_score_kind kind);

#ifdef __cplusplus
}
#endif

#endif
