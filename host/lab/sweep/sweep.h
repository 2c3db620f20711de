// Running a sweep: finished runs are skipped, failed ones reported, everything goes on where it stopped.
#ifndef TT_LAB_SWEEP_SWEEP_H
#define TT_LAB_SWEEP_SWEEP_H

#include "host/base/str.h"
#include "host/dist/comm.h"
#include "host/lab/sweep/plan.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tt_sweep_state {
    TT_SWEEP_NEW,
    TT_SWEEP_BEGUN, // can go on
    TT_SWEEP_FAILED,
    TT_SWEEP_FINISHED,
    TT_SWEEP_OTHER // finished, but with other settings than the sweep's now: never run over, never counted
} tt_sweep_state;

// What the run's directory says. A failed run has a file `failed.txt` with the reason. A finished run whose
// evaluation alone is set otherwise can go on: it is scored again.
tt_sweep_state tt_sweep_state_of(const tt_sweep *sweep, const tt_sweep_run *run);
// The settings that differ where the state is TT_SWEEP_OTHER, a line each, begun by a line break.
tt_status tt_sweep_differences(
    const tt_sweep *sweep, const tt_sweep_run *run, tt_str *out, bool *rescore) TT_MUST_CHECK;
const char *tt_sweep_state_name(tt_sweep_state state);

typedef struct tt_sweep_options {
    bool retry;                   // failed runs as well
    int jobs;                     // child processes side by side; 0 = one run after another in this process
    int only;                     // this run alone, or -1
    const char *const *overrides; // "key=value" [n_overrides] the sweep was opened with, for child processes
    int n_overrides;
} tt_sweep_options;

// Runs what is to run. With several ranks they are split into groups of sweep->ranks_per_run, group g takes
// runs g, g + groups, ...; `jobs` is for one rank. *failed receives how many runs have failed, those that
// hold other settings among them. Errors: TT_ERR_INTERRUPTED after Ctrl-C, with everything saved; a run's own
// error does not end the sweep, unless one rank of several fails alone: its group cannot go on, and the error
// comes back without the ranks having agreed on it, so that tt_comm_close ends the job.
tt_status tt_sweep_run_all(
    const tt_sweep *sweep, tt_comm *comm, const tt_sweep_options *options, int *failed) TT_MUST_CHECK;

// One row for each variant: runs finished, test accuracies with intervals over seeds, and what failed. The
// same whoever ran the runs.
tt_status tt_sweep_table(const tt_sweep *sweep, tt_str *out) TT_MUST_CHECK;
// A Slurm job array, one task for each run, with the options' overrides.
tt_status tt_sweep_slurm(const tt_sweep *sweep, const tt_sweep_options *options, tt_str *out) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
