// Runs sweeps: finished runs are skipped, failed ones reported, interrupted ones resumed.
#ifndef TT_LAB_SWEEP_SWEEP_H
#define TT_LAB_SWEEP_SWEEP_H

#include "host/base/str.h"
#include "host/dist/comm.h"
#include "host/lab/run.h"
#include "host/lab/sweep/state.h"
#include "host/lab/sweep/sweeps.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_sweep_options {
    bool retry;                   // also runs those that failed
    bool fresh;                   // starts all runs over, or that of `only`
    const char *fresh_from;       // NULL, or the phase that they start over from
    int jobs;                     // child processes at a time; 0: one run after another in this process
    int only;                     // number of the only run to run, or -1
    int ranks_per_run;            // under mpirun: 0 = those of the sweep
    const char *const *overrides; // [n_overrides], those of tt_sweep_open, for child processes
    int n_overrides;
} tt_sweep_options;

// Runs every run of all sweeps that is not finished. Several ranks are split into groups, and whenever a group is free
// it takes the next run (queue.h); `jobs` works with one rank only. Phases that runs have in common are trained once.
// *failed receives the number of runs that are not finished: failed, now or earlier, in the hands of other processes,
// or in state TT_SWEEP_OTHER. Errors: TT_ERR_INTERRUPTED after Ctrl-C, with progress saved. A run that fails does not
// end the sweep, unless one rank of its group fails alone: the group cannot continue, and the error is returned without
// the ranks having agreed on it, so that tt_comm_close ends the job.
tt_status tt_sweep_run_all(
    tt_sweeps *sweeps, tt_comm *comm, const tt_sweep_options *options, int *failed) TT_MUST_CHECK;

// Appends a table with a row for each variant: finished runs, test accuracies with intervals over seeds; and
// the failures. It does not depend on how the runs were distributed.
tt_status tt_sweep_table(const tt_sweep *sweep, tt_str *out) TT_MUST_CHECK;
// Appends a CSV table with a line for each run: of several sweeps its sweep; number, name, variant, seed and state, a
// column for every key that the sweep sets, the scores on the test split with their intervals over questions, steps,
// tokens and seconds of training (those of phases that were taken from other runs, too), its directory, and of a failed
// run the reason. Empty where there is no number.
tt_status tt_sweep_summary(const tt_sweeps *sweeps, tt_str *out) TT_MUST_CHECK;
// Appends the script of a Slurm job array with one task for each run; the overrides of `options` are passed
// on.
tt_status tt_sweep_slurm(const tt_sweep *sweep, const tt_sweep_options *options, tt_str *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
