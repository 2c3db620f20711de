// Runs a sweep: finished runs are skipped, failed ones reported, interrupted ones resumed.
#ifndef TT_LAB_SWEEP_SWEEP_H
#define TT_LAB_SWEEP_SWEEP_H

#include "host/base/str.h"
#include "host/dist/comm.h"
#include "host/lab/run.h"
#include "host/lab/sweep/plan.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_sweep_state {
    TT_SWEEP_NEW,
    TT_SWEEP_BEGUN, // can be resumed
    TT_SWEEP_FAILED,
    TT_SWEEP_FINISHED,
    TT_SWEEP_OTHER // finished with settings that differ from the sweep's: neither overwritten nor counted
} tt_sweep_state;

// The state of a run, read from its directory. A failed run has a file `failed.txt` with the reason. A
// finished run that differs only in settings of the evaluation is TT_SWEEP_BEGUN: resuming it scores it
// again.
tt_sweep_state tt_sweep_state_of(const tt_sweep *sweep, const tt_sweep_run *run);
// Appends the settings that differ from those of the run's directory: for each a line break and "  key: value
// there -> value of the sweep". *rescore: whether settings of the evaluation differ, which are not listed.
tt_status tt_sweep_differences(
    const tt_sweep *sweep, const tt_sweep_run *run, tt_str *out, bool *rescore) TT_MUST_CHECK;
// Whether the run need not begin, since the variant's interval over the seeds that are finished is narrow enough
// (`until`). Choosing when to stop by the interval makes it a little too narrow on average.
bool tt_sweep_enough(const tt_sweep *sweep, const tt_sweep_run *run);
const char *tt_sweep_state_name(tt_sweep_state state);

typedef struct tt_sweep_options {
    bool retry;                   // also runs those that failed
    tt_run_options run;           // fresh, fresh_from: of every run
    int jobs;                     // child processes at a time; 0: one run after another in this process
    int only;                     // number of the only run to run, or -1
    int ranks_per_run;            // under mpirun: 0 = those of the sweep
    const char *const *overrides; // [n_overrides], those of tt_sweep_open, for child processes
    int n_overrides;
} tt_sweep_options;

// Runs every run that is not finished. Several ranks are split into groups, and whenever a group is free it takes the
// next run (queue.h); `jobs` works with one rank only. Phases that runs have in common are trained once. *failed receives
// the number of runs that are not finished: failed, in the hands of other processes, or in state TT_SWEEP_OTHER. Errors:
// TT_ERR_INTERRUPTED after Ctrl-C, with progress saved. A run that fails does not end the sweep, unless one rank of its
// group fails alone: the group cannot continue, and the error is returned without the ranks having agreed on it, so that
// tt_comm_close ends the job.
tt_status tt_sweep_run_all(
    const tt_sweep *sweep, tt_comm *comm, const tt_sweep_options *options, int *failed) TT_MUST_CHECK;

// Appends a table with a row for each variant: finished runs, test accuracies with intervals over seeds; and
// the failures. It does not depend on how the runs were distributed.
tt_status tt_sweep_table(const tt_sweep *sweep, tt_str *out) TT_MUST_CHECK;
// Appends a CSV table with a line for each run: number, name, variant, seed and state, a column for every key that the
// sweep sets, the scores on the test split with their intervals over questions, steps, tokens and seconds of training
// (those of phases that were taken from other runs, too), and its directory. Empty where there is no number.
tt_status tt_sweep_summary(const tt_sweep *sweep, tt_str *out) TT_MUST_CHECK;
// Appends the script of a Slurm job array with one task for each run; the overrides of `options` are passed
// on.
tt_status tt_sweep_slurm(const tt_sweep *sweep, const tt_sweep_options *options, tt_str *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
