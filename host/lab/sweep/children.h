// Runs of a sweep side by side, each in a process of its own. Private to host/lab/sweep.
#ifndef TT_LAB_SWEEP_CHILDREN_H
#define TT_LAB_SWEEP_CHILDREN_H

#include "host/lab/sweep/sweep.h"

#ifdef __cplusplus
extern "C" {
#endif

// The environment variable that tells a process that it is a child.
#define TT_SWEEP_CHILD_VARIABLE "TT_SWEEP_CHILD"

// Runs those that are wanted [sweeps->n], options->jobs at a time. Errors: TT_ERR_INTERRUPTED after Ctrl-C, with progress
// saved; TT_ERR_IO where no process can be started; those of tt_sweep_queue_open.
tt_status tt_sweep_run_children(
    const tt_sweeps *sweeps, const bool *wanted, const tt_sweep_options *options) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
