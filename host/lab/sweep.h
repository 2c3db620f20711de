// Running a sweep: finished runs are skipped, failed ones reported, everything goes on where it stopped.
#ifndef TT_LAB_SWEEP_H
#define TT_LAB_SWEEP_H

#include "host/dist/comm.h"
#include "host/lab/sweep_plan.h"

#include <stdio.h>

typedef enum tt_sweep_state {
    TT_SWEEP_NEW,
    TT_SWEEP_BEGUN, // can go on
    TT_SWEEP_FAILED,
    TT_SWEEP_FINISHED
} tt_sweep_state;

// What the run's directory says. A failed run has a file `failed.txt` with the reason.
tt_sweep_state tt_sweep_state_of(const tt_sweep_run *run);
const char *tt_sweep_state_name(tt_sweep_state state);

typedef struct tt_sweep_options {
    bool retry; // failed runs as well
    int jobs;   // child processes side by side; 0 = one run after another in this process
    int only;   // this run alone, or -1
} tt_sweep_options;

// Runs what is to run. With several ranks they are split into groups of sweep->ranks_per_run, group g takes
// runs g, g + groups, ...; `jobs` is for one rank. *failed receives how many runs have failed. Errors:
// TT_ERR_INTERRUPTED after Ctrl-C, with everything saved; a run's own error does not end the sweep.
tt_status tt_sweep_run_all(
    const tt_sweep *sweep, tt_comm *comm, const tt_sweep_options *options, int *failed) TT_MUST_CHECK;

// One row for each variant: runs finished, test accuracies with intervals over seeds, and what failed. The
// same whoever ran the runs.
tt_status tt_sweep_table(const tt_sweep *sweep, tt_str *out) TT_MUST_CHECK;
// A Slurm job array, one task for each run.
tt_status tt_sweep_slurm(const tt_sweep *sweep, tt_str *out) TT_MUST_CHECK;

#endif
